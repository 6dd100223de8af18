"""Painting films: shot by shot without flicker, with their sound, and so that one can go on.

`paint.paint_film` paints a file into a file, `stream.paint_stream` what comes through a pipe;
`preview.preview_film` shows some pictures. What reads and writes films is imported there alone.
"""
