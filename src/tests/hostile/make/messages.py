"""CMP messages (RFC 9810) that are refused: by their envelope, by their protection, by what they ask for.

Where a value is known only to a house that runs, a text of the same length stands for it; the test puts the value in.
"""

from der import (
    NULL, bits, boolean, explicit, implicit, integer, nested, octets, oid, sequence, utf8, value,
)  # fmt: skip
from keys import P256, Ed25519, Elliptic, Mute, Rsa, prime, spki
from requests import (
    ALICE, BASIC, CERTIFICATE, CN, GOOD, P, Q, SAN, dns, extension, name, pem, rdn, request,
)  # fmt: skip

# A transaction of its own for each message, or the one in which a certificate waits to be confirmed.
FRESH, OPEN = b"transaction-here", b"open-transaction"
ANSWERED = b"nonce-of-answer!"
# A token that lives, one that is spoilt by wrong secrets, and the MAC under the first one's secret.
TOKEN, SPOILT = b"token's-name", b"other's-name"
MAC = b"the-mac-of-header-and-body-here!"
BOBS = b"serial-of-bob's!"
SALT = b"sixteen-salts-ok"
NONCE = bytes(range(16))

NOBODY = value(0xA4, sequence())
SHA256, SHA1, MD5 = "2.16.840.1.101.3.4.2.1", "1.3.14.3.2.26", "1.2.840.113549.2.5"
HMAC_SHA256, HMAC_SHA1 = "1.2.840.113549.2.9", "1.2.840.113549.2.7"
PBM, PBMAC1, PBKDF2 = "1.2.840.113533.7.66.13", "1.2.840.113549.1.5.14", "1.2.840.113549.1.5.12"

ENTRIES = []


def algorithm(number, parameters=NULL):
    return sequence(oid(number), parameters)


def pbm(salt=SALT, hash_=SHA256, rounds=500, mac=HMAC_SHA256):
    return algorithm(PBM, sequence(octets(salt), algorithm(hash_), integer(rounds), algorithm(mac)))


def pbmac1(rounds=500, length=32, prf=HMAC_SHA256):
    derivation = sequence(octets(SALT), integer(rounds), integer(length), algorithm(prf))
    return algorithm(PBMAC1, sequence(algorithm(PBKDF2, derivation), algorithm(HMAC_SHA256)))


def header(version=2, protection=pbm(), key=TOKEN, transaction=FRESH, nonce=NONCE, answered=None, info=(), time=None):
    """Whatever is `None` is left out."""
    field = lambda number, content: b"" if content is None else explicit(number, content)
    text = lambda content: None if content is None else octets(content)
    return sequence(
        integer(version), NOBODY, NOBODY,
        field(0, time), field(1, protection), field(2, text(key)),
        field(4, text(transaction)), field(5, text(nonce)), field(6, text(answered)),
        field(8, sequence(*info) if info else None),
    )  # fmt: skip


def message(kind, content, proof=MAC, certificates=None, **fields):
    proof = b"" if proof is None else explicit(0, bits(proof))
    certificates = b"" if certificates is None else explicit(1, sequence(*certificates))
    return sequence(header(**fields), explicit(kind, content), proof, certificates)


def unprotected(kind, content, **fields):
    return message(kind, content, proof=None, protection=None, key=None, **fields)


def signed(kind, content, signer, certificates, by=None, **fields):
    """A message protected by a signature."""
    head = header(protection=by or signer.algorithm, key=None, **{"transaction": bytes(range(16, 32)), **fields})
    body = explicit(kind, content)
    proof = explicit(0, bits(signer.sign(sequence(head, body))))
    return sequence(head, body, proof, explicit(1, sequence(*certificates)))


def template(subject=None, key=ALICE.spki, *extensions):
    key = b"" if key is None else value(0xA6, sequence_content(key))
    return sequence(explicit(5, subject or name("alice")), key, value(0xA9, *extensions) if extensions else b"")


def sequence_content(der):
    """What stands within a SEQUENCE."""
    return der[2 + (der[1] & 0x7F if der[1] & 0x80 else 0):]


def crmf(wanted=None, controls=b"", proof=None, key=ALICE):
    """CertReqMsg with a proof over the request, or another one."""
    asked = sequence(integer(0), wanted or template(key=key.spki), controls)
    return sequence(asked, popo(key, asked) if proof is None else proof)


def popo(key, signed_, by=None):
    return value(0xA1, by or key.algorithm, bits(key.sign(signed_)))


def old(issuer, serial):
    return sequence(sequence(oid("1.3.6.1.5.5.7.5.1.5"), sequence(value(0xA4, issuer), value(2, serial))))


def revocation(issuer, serial, *extensions):
    serial = b"" if serial is None else implicit(1, serial)
    details = sequence(serial, explicit(3, issuer) if issuer else b"")
    return sequence(details, sequence(*extensions) if extensions else b"")


def status(hash_=bytes(32), number=-1, by=None):
    number = value(2, b"\xff") if number < 0 else integer(number)
    return sequence(octets(hash_), number, explicit(0, algorithm(by)) if by else b"")


def add(verdict, file, sentence, content):
    ENTRIES.append((f"cmp/{file}.der", sentence, ("-", "-", verdict, "-"), content))


ISSUER = sequence(rdn(("2.5.4.10", utf8("corp.example"))), rdn((CN, utf8("corp.example issuing CA"))))
IR, CR, P10CR, KUR, RR, CERTCONF, POLL = 0, 2, 4, 7, 11, 24, 25
ASKED = sequence(crmf())

# --- the envelope --------------------------------------------------------------------------------------------------

PLAIN = unprotected(P10CR, GOOD)
for verdict, file, sentence, content in [
    ("badDataFormat", "empty", "nothing", b""),
    ("badDataFormat", "text", "a text", b"GET / HTTP/1.1\r\n\r\n"),
    ("badDataFormat", "empty-sequence", "an empty SEQUENCE", sequence()),
    ("badDataFormat", "trailing", "an octet behind the end", PLAIN + b"\0"),
    ("badDataFormat", "cut", "a message without its last octet", PLAIN[:-1]),
    ("badDataFormat", "indefinite", "an indefinite length (BER)", b"\x30\x80" + sequence_content(PLAIN) + b"\0\0"),
    ("badDataFormat", "lying-length", "a length of four gigabytes", b"\x30\x84\xff\xff\xff\xff" + PLAIN[3:]),
    ("badDataFormat", "nested-1000", "a thousand SEQUENCEs within each other", nested(1000)),
    ("badDataFormat", "long", "a message of 17 kB", unprotected(P10CR, sequence(octets(bytes(17_000))))),
    ("badDataFormat", "only-header", "a header without a body", sequence(header(protection=None))),
    ("badDataFormat", "no-sender", "a header without a sender", sequence(sequence(integer(2)), explicit(P10CR, GOOD))),
    ("badDataFormat", "text-for-header", "a text in the place of the header", sequence(utf8("header"), explicit(P10CR, GOOD))),
    ("badDataFormat", "version-256", "a version of two octets", unprotected(P10CR, GOOD, version=256)),
    ("unsupportedVersion", "version-0", "version 0", unprotected(P10CR, GOOD, version=0)),
    ("unsupportedVersion", "version-1", "version 1", unprotected(P10CR, GOOD, version=1)),
    ("unsupportedVersion", "version-4", "a version that is still to come", unprotected(P10CR, GOOD, version=4)),
    ("badDataFormat", "no-transaction", "no transaction identifier", unprotected(P10CR, GOOD, transaction=None)),
    ("badDataFormat", "transaction-0", "an empty transaction identifier", unprotected(P10CR, GOOD, transaction=b"")),
    ("badDataFormat", "transaction-65", "a transaction identifier of 65 octets", unprotected(P10CR, GOOD, transaction=bytes(65))),
    ("badSenderNonce", "no-nonce", "no nonce", unprotected(P10CR, GOOD, nonce=None)),
    ("badSenderNonce", "nonce-7", "a nonce of 7 octets", unprotected(P10CR, GOOD, nonce=bytes(7))),
    ("badSenderNonce", "nonce-65", "a nonce of 65 octets", unprotected(P10CR, GOOD, nonce=bytes(65))),
    ("badDataFormat", "time-torn", "a time that is none", unprotected(P10CR, GOOD, time=value(0x18, b"20261399250000Z"))),
    ("badDataFormat", "certificates-9", "nine certificates", message(P10CR, GOOD, certificates=[CERTIFICATE] * 9)),
    ("badDataFormat", "certificates-1000", "a thousand certificates of two octets", message(P10CR, GOOD, certificates=[NULL] * 1000)),
    ("badMessageCheck", "half-protected", "a protection algorithm without a proof", message(P10CR, GOOD, proof=None)),
    ("badMessageCheck", "proof-alone", "a proof without an algorithm", message(P10CR, GOOD, proof=bytes(32), protection=None)),
    ("wrongIntegrity", "unprotected-ir", "an unprotected ir", unprotected(IR, ASKED)),
    ("wrongIntegrity", "unprotected-p10cr", "an unprotected p10cr", PLAIN),
    ("wrongIntegrity", "unprotected-rr", "an unprotected rr", unprotected(RR, sequence(revocation(ISSUER, BOBS)))),
    ("wrongIntegrity", "unprotected-certconf", "an unprotected certConf", unprotected(CERTCONF, sequence(status()))),
    ("wrongIntegrity", "unprotected-error", "an unprotected error", unprotected(23, sequence(sequence(integer(2))))),
    ("wrongIntegrity", "unprotected-nested", "a message within a message, unprotected", unprotected(20, sequence(PLAIN))),
]:  # fmt: skip
    add(verdict, file, sentence, content)

# --- protection by a secret ----------------------------------------------------------------------------------------

for file, sentence, protection in [
    ("rounds-0", "a MAC of no rounds", pbm(rounds=0)),
    ("rounds-1", "a MAC of one round", pbm(rounds=1)),
    ("rounds-99", "a MAC of one round too few", pbm(rounds=99)),
    ("rounds-100001", "a MAC of one round too many", pbm(rounds=100_001)),
    ("rounds-billion", "a MAC of a billion rounds", pbm(rounds=1_000_000_000)),
    ("rounds-longest", "a MAC of as many rounds as 32 bits say", pbm(rounds=2**32 - 1)),
    ("rounds-longer", "a MAC of more rounds than 64 bits say", pbm(rounds=2**70)),
    ("rounds-negative", "a MAC of minus one rounds",
     algorithm(PBM, sequence(octets(SALT), algorithm(SHA256), value(2, b"\xff"), algorithm(HMAC_SHA256)))),
    ("mac-md5", "a MAC by way of MD5", pbm(hash_=MD5)),
    ("mac-unknown-hash", "a MAC by way of an unknown hash", pbm(hash_="1.2.3.4")),
    ("mac-unknown", "an unknown MAC", pbm(mac="1.2.3.4")),
    ("mac-no-parameters", "a MAC without parameters", algorithm(PBM)),
    ("salt-0", "a MAC without salt", pbm(salt=b"")),
    ("salt-10000", "a MAC with 10 kB of salt", pbm(salt=bytes(10_000))),
    ("pbmac1-rounds-billion", "a PBMAC1 of a billion rounds", pbmac1(rounds=1_000_000_000)),
    ("pbmac1-rounds-1", "a PBMAC1 of one round", pbmac1(rounds=1)),
    ("pbmac1-key-0", "a PBMAC1 with a key of no octets", pbmac1(length=0)),
    ("pbmac1-key-65535", "a PBMAC1 with a key of 65,535 octets", pbmac1(length=65_535)),
    ("pbmac1-md5", "a PBMAC1 by way of HMAC-MD5", pbmac1(prf="1.2.840.113549.2.6")),
    ("dh-mac", "a MAC by a Diffie-Hellman key", algorithm("1.2.840.113533.7.66.30")),
    ("kem-mac", "a MAC by a key that was encapsulated", algorithm("1.2.840.113533.7.66.16")),
    ("protected-by-hash", "a mere hash for a protection", algorithm(SHA256)),
]:  # fmt: skip
    add("badAlg", file, sentence, message(P10CR, GOOD, proof=bytes(32), protection=protection))
for file, sentence, proof, key in [
    ("wrong-mac", "a MAC under another secret", bytes(32), SPOILT),
    ("no-mac", "an empty MAC", b"", SPOILT),
    ("cut-mac", "a MAC of one octet", b"\0", SPOILT),
    ("long-mac", "a MAC of a kilobyte", bytes(1024), SPOILT),
    ("unknown-token", "a token that nobody drew", bytes(32), b"nobodys-name"),
    ("no-token", "no name of a token", bytes(32), None),
    ("long-token", "a token's name of 10,000 letters", bytes(32), b"a" * 10_000),
    ("torn-token", "a token's name that is no text", bytes(32), b"\xff\xfe\0"),
    ("sql-token", "a token's name that is a piece of SQL", bytes(32), b"' OR 1=1 --"),
]:  # fmt: skip
    add("badMessageCheck", file, sentence, message(P10CR, GOOD, proof=proof, key=key))

# --- protection by a signature -------------------------------------------------------------------------------------

MALLORY = Ed25519("mallory")


def certificate(subject, issuer):
    valid = sequence(value(0x17, b"260101000000Z"), value(0x17, b"360101000000Z"))
    asked = sequence(explicit(0, integer(2)), integer(7), MALLORY.algorithm, issuer, valid, subject, MALLORY.spki)
    return sequence(asked, MALLORY.algorithm, bits(MALLORY.sign(asked)))


STRANGER = certificate(name("alice"), name("alice"))
PRETENDER = certificate(name("alice"), ISSUER)
AUTHORITY = certificate(ISSUER, ISSUER)
for verdict, file, sentence, content in [
    ("signerNotTrusted", "stranger", "signed by somebody who signed his certificate himself", signed(P10CR, GOOD, MALLORY, [STRANGER])),
    ("signerNotTrusted", "pretender", "signed by somebody who says that the house issued his certificate", signed(KUR, ASKED, MALLORY, [PRETENDER])),
    ("signerNotTrusted", "pretended-authority", "signed by somebody who says that he is the house", signed(RR, sequence(revocation(ISSUER, bytes([7] * 16))), MALLORY, [AUTHORITY])),
    ("signerNotTrusted", "no-certificate", "signed, without a certificate", signed(P10CR, GOOD, MALLORY, [])),
    ("signerNotTrusted", "torn-certificate", "signed, with certificates that are none", signed(P10CR, GOOD, MALLORY, [NULL, sequence()])),
    ("badMessageCheck", "wrong-signature", "signed by another key than the certificate's", signed(P10CR, GOOD, ALICE, [STRANGER])),
    ("badMessageCheck", "empty-signature", "an empty signature", signed(P10CR, GOOD, Mute(MALLORY.spki, b""), [STRANGER])),
    ("badAlg", "signed-sha1", "signed with SHA-1", signed(P10CR, GOOD, Rsa([P, Q], hash_="sha1"), [STRANGER])),
    ("badAlg", "signed-md5", "signed with MD5", signed(P10CR, GOOD, Rsa([P, Q], hash_="md5"), [STRANGER])),
]:  # fmt: skip
    add(verdict, file, sentence, content)

# --- what is asked -------------------------------------------------------------------------------------------------

P256_KEY, SMALL = Elliptic(P256), Rsa([prime(512, "p"), prime(512, "q")])
IDENTITY = Mute(spki(Ed25519.algorithm, b"\1" + bytes(31)), b"\1" + bytes(63))
WANTED = sequence(integer(0), template())
PROFILE = sequence(oid("1.3.6.1.5.5.7.4.21"), sequence(utf8("server")))
MORE = [extension(SAN, sequence(*(dns(f"h{n}") for n in range(11))))]
for verdict, file, kind, sentence, content in [
    ("badRequest", "nested", 20, "a message within a message", sequence(PLAIN)),
    ("badRequest", "answer", 1, "an answer in the place of a request", sequence(sequence())),
    ("badRequest", "challenge", 5, "a challenge that nobody asked for", sequence()),
    ("badRequest", "krr", 9, "a wish for a key to be recovered", ASKED),
    ("badRequest", "ccr", 13, "a wish for a certificate of an authority", ASKED),
    ("badRequest", "unknown-kind", 30, "a message of a kind that there is not", sequence()),
    ("badRequest", "ir-none", IR, "a request for no certificate", sequence()),
    ("badRequest", "ir-two", IR, "a request for two certificates", sequence(crmf(), crmf())),
    ("badRequest", "ir-200", IR, "a request for two hundred certificates", sequence(*[sequence(WANTED)] * 150)),
    ("badDataFormat", "ir-torn", IR, "a request that is a text", utf8("a certificate, please")),
    ("badDataFormat", "ir-deep", IR, "a request of a thousand SEQUENCEs", nested(1000)),
    ("badPOP", "ra-verified", IR, "possession that somebody else vouches for", sequence(crmf(proof=implicit(0, b"")))),
    ("badPOP", "no-proof", IR, "no proof of possession", sequence(crmf(proof=b""))),
    ("badPOP", "encrypted-proof", IR, "possession that is to be proven by decrypting", sequence(crmf(proof=value(0xA2, implicit(1, b"\0"))))),
    ("badPOP", "other-proof", IR, "a proof over another request", sequence(crmf(proof=popo(ALICE, WANTED + b"\0")))),
    ("badPOP", "others-proof", IR, "a proof by another key", sequence(crmf(proof=popo(MALLORY, WANTED)))),
    ("badPOP", "own-input", IR, "a proof over input of one's own", sequence(crmf(proof=value(0xA1, value(0xA0), ALICE.algorithm, bits(ALICE.sign(WANTED)))))),
    ("badAlg", "proof-sha1", IR, "a proof with SHA-1", sequence(crmf(key=P256_KEY, proof=popo(P256_KEY, WANTED, sequence(oid("1.2.840.10045.4.1")))))),
    ("badCertTemplate", "no-key", IR, "no key: the house is to make it", sequence(crmf(template(key=None)))),
    ("badCertTemplate", "small-key", IR, "RSA of 1024 bits in CRMF", sequence(crmf(key=SMALL))),
    ("badCertTemplate", "identity-key", IR, "the neutral point of Ed25519 in CRMF", sequence(crmf(key=IDENTITY))),
    ("badCertTemplate", "ir-bob", IR, "a certificate for bob by alice's token", sequence(crmf(template(name("bob"))))),
    ("badDataFormat", "ir-nul", IR, "a NUL within a name in CRMF", sequence(crmf(template(name("alice\0bob"))))),
    ("badCertTemplate", "ir-ca", IR, "CA:TRUE in CRMF", sequence(crmf(template(None, ALICE.spki, extension(BASIC, sequence(boolean(True)), True))))),
    ("unacceptedExtension", "ir-critical", CR, "an unknown critical extension in CRMF", sequence(crmf(template(None, ALICE.spki, extension("1.2.3.4", NULL, True))))),
    ("badDataFormat", "ir-twice", CR, "an extension twice in CRMF", sequence(crmf(template(None, ALICE.spki, *[extension(BASIC, sequence())] * 2)))),
    ("badCertTemplate", "ir-11-names", CR, "eleven alternative names in CRMF", sequence(crmf(template(None, ALICE.spki, *MORE)))),
    ("badCertId", "kur-unknown", KUR, "an update of a certificate that was never issued", sequence(crmf(controls=old(ISSUER, bytes([7] * 16))))),
    ("badCertId", "kur-other-issuer", KUR, "an update of a certificate of another house", sequence(crmf(controls=old(name("evil"), bytes([7] * 16))))),
    ("badDataFormat", "p10cr-pem", P10CR, "PEM within a message", pem(GOOD)),
    ("badDataFormat", "p10cr-two", P10CR, "two PKCS#10 requests in one message", GOOD * 2),
    ("notAuthorized", "rr-bob", RR, "bob's certificate is to be taken back by alice's token", sequence(revocation(ISSUER, BOBS))),
    ("badCertId", "rr-unknown", RR, "a certificate that was never issued is to be taken back", sequence(revocation(ISSUER, bytes([7] * 16)))),
    ("badCertId", "rr-other-issuer", RR, "another house's certificate is to be taken back", sequence(revocation(name("evil"), BOBS))),
    ("badCertId", "rr-no-serial", RR, "nobody's certificate is to be taken back", sequence(revocation(ISSUER, None))),
    ("badCertId", "rr-long-serial", RR, "a serial of 1,000 octets", sequence(revocation(ISSUER, bytes([7] * 1000)))),
    ("badRequest", "rr-two", RR, "two certificates are to be taken back", sequence(*[revocation(ISSUER, BOBS)] * 2)),
    ("badRequest", "rr-reason", RR, "a reason that only lists have", sequence(revocation(ISSUER, BOBS, extension("2.5.29.21", value(10, b"\x08"))))),
    ("unacceptedExtension", "rr-critical", RR, "an unknown critical extension beside a reason", sequence(revocation(ISSUER, BOBS, extension("1.2.3.4", NULL, True)))),
    ("badRequest", "certconf-unknown", CERTCONF, "a confirmation of nothing", sequence(status())),
    ("badRequest", "certconf-two", CERTCONF, "two confirmations in one message", sequence(status(), status())),
    ("badAlg", "certconf-sha1", CERTCONF, "a confirmation by a SHA-1 hash", sequence(status(bytes(20), by=SHA1))),
    ("badRequest", "poll", POLL, "a question whether something is ready that nobody asked for", sequence(sequence(integer(0)))),
    ("badRequest", "poll-1000", POLL, "a thousand such questions", sequence(*[sequence(integer(0))] * 1000)),
    ("badDataFormat", "genm-torn", 21, "questions that are none", sequence(NULL)),
]:  # fmt: skip
    add(verdict, file, sentence, message(kind, content))

FOREIGN = sequence(crmf(template(name("bob"))))
for verdict, file, sentence, content in [
    ("badCertTemplate", "other-profile", "a server's certificate by a client's token", message(P10CR, GOOD, info=[PROFILE])),
    ("badTime", "clock-1970", "a clock that begins anew", message(P10CR, GOOD, time=value(0x18, b"19700101000000Z"))),
    ("badTime", "clock-2099", "a clock that jumped ahead", message(P10CR, GOOD, time=value(0x18, b"20991231235959Z"))),
    ("badCertTemplate, transactionIdInUse", "replayed", "a whole message, twice", message(IR, FOREIGN, transaction=b"the-same-as-ever")),
    ("badCertId", "certconf-other", "a confirmation by another certificate's hash", message(CERTCONF, sequence(status()), transaction=OPEN, answered=ANSWERED)),
    ("badRecipientNonce", "certconf-no-nonce", "a confirmation that answers nothing", message(CERTCONF, sequence(status()), transaction=OPEN)),
    ("badRecipientNonce", "certconf-other-nonce", "a confirmation that answers another message", message(CERTCONF, sequence(status()), transaction=OPEN, answered=NONCE)),
]:  # fmt: skip
    add(verdict, file, sentence, content)

HELPERS = [("helper/header.der", header())]
