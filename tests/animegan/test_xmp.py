import pytest

from animegan.xmp import DIGITAL_SOURCE_TYPE, marked

PACKET = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/jpeg"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" %s>%s</rdf:Description>
</rdf:RDF></x:xmpmeta>"""
CAMERA = b"http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


@pytest.mark.parametrize(
    "packet",
    [
        PACKET % (b"", b""),
        PACKET % (b'Iptc4xmpExt:DigitalSourceType="' + CAMERA + b'"', b""),
        PACKET
        % (b"", b"<Iptc4xmpExt:DigitalSourceType>%s</Iptc4xmpExt:DigitalSourceType>" % CAMERA),
    ],
)
def test_the_mark_takes_the_place_of_what_was_said_before(packet):
    done = marked(packet)
    assert done.count(b"DigitalSourceType=") == 1
    assert DIGITAL_SOURCE_TYPE.encode() in done
    assert CAMERA not in done
    assert b'dc:format="image/jpeg"' in done
    assert marked(done) == done


def test_what_is_no_packet_is_replaced():
    assert marked(b"<<<") == marked(None)
