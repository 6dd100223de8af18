"""The mark that says that a picture was made by a network, as readers of metadata understand it.

Source: IPTC Photo Metadata, "Digital Source Type"; its vocabulary calls a photo that a trained
network changed `compositeWithTrainedAlgorithmicMedia`, and what it drew `trainedAlgorithmicMedia`.
"""

import re

_VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"
#: Of paintings of photos.
DIGITAL_SOURCE_TYPE = f"{_VOCABULARY}compositeWithTrainedAlgorithmicMedia"
#: Of pictures that are of nothing.
DRAWN = f"{_VOCABULARY}trainedAlgorithmicMedia"

_MARK = (
    '<rdf:Description rdf:about="" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'Iptc4xmpExt:DigitalSourceType="{}"/>'
)
_EMPTY = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF>'
    b'</x:xmpmeta><?xpacket end="w"?>'
)
_END = b"</rdf:RDF>"
_SAID_BEFORE = re.compile(
    rb"<Iptc4xmpExt:DigitalSourceType>.*?</Iptc4xmpExt:DigitalSourceType>"
    rb"|Iptc4xmpExt:DigitalSourceType\s*=\s*(\"[^\"]*\"|'[^']*')",
    re.DOTALL,
)


def marked(packet: bytes | None, source: str = DIGITAL_SOURCE_TYPE) -> bytes:
    """An XMP packet with the mark; all else it says stays. It is not parsed, only added to.

    Args:
        packet: None where there is none.
        source: a word of the vocabulary.

    >>> marked(None).count(DIGITAL_SOURCE_TYPE.encode())
    1
    >>> marked(marked(None)) == marked(None)
    True
    """
    if packet is None or _END not in packet:
        packet = _EMPTY
    # A camera's own `digitalCapture` is not true any more; our own mark goes as a whole.
    mark = _MARK.format(source).encode()
    packet = _SAID_BEFORE.sub(b"", packet.replace(mark, b""))
    before, _, after = packet.rpartition(_END)
    return before + mark + _END + after
