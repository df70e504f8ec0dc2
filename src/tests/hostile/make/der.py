"""DER (X.690), and the ways to get it wrong."""


def value(tag, *parts):
    """One value; its length in the shortest form."""
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def sequence(*parts):
    return value(0x30, *parts)


def set_of(*parts):
    return value(0x31, *parts)


def integer(number):
    return value(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def bits(content, unused=0):
    return value(3, bytes([unused]), content)


def octets(content):
    return value(4, content)


def utf8(text):
    return value(0x0C, text.encode())


def ia5(text):
    return value(0x16, text.encode())


def boolean(truth):
    return value(1, b"\xff" if truth else b"\0")


def oid(text):
    first, second, *rest = map(int, text.split("."))
    content = b""
    for arc in [first * 40 + second, *rest]:
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(arc & 0x7F | 0x80)
        content += bytes(reversed(septets))
    return value(6, content)


def explicit(number, *parts):
    """A value in a constructed context tag."""
    return value(0xA0 | number, *parts)


def implicit(number, content):
    """A primitive value under a context tag."""
    return value(0x80 | number, content)


NULL = value(5)


def nested(depth, tag=0x30):
    """Values within values, and nothing in the innermost."""
    inner = b""
    for _ in range(depth):
        inner = value(tag, inner)
    return inner
