"""The mark that says that a picture was painted by a network, as readers of metadata understand it.

Source: IPTC Photo Metadata, "Digital Source Type"; its vocabulary calls a photo that a trained
network changed `compositeWithTrainedAlgorithmicMedia`.
"""

import re

DIGITAL_SOURCE_TYPE = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)

_MARK = (
    '<rdf:Description rdf:about="" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    f'Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"/>'
).encode()
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


def marked(packet: bytes | None) -> bytes:
    """An XMP packet with the mark; all else it says stays. It is not parsed, only added to.

    >>> marked(None).count(DIGITAL_SOURCE_TYPE.encode())
    1
    >>> marked(marked(None)) == marked(None)
    True
    """
    if packet is None or _END not in packet:
        packet = _EMPTY
    # A camera's own `digitalCapture` is not true any more; our own mark goes as a whole.
    packet = _SAID_BEFORE.sub(b"", packet.replace(_MARK, b""))
    before, _, after = packet.rpartition(_END)
    return before + _MARK + _END + after
