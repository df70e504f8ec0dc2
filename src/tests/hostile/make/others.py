"""What is no PKCS#10 and no CMP: signed messages of ACME, questions of OCSP, and whole HTTP requests.

Words between @ stand for what only a house that runs knows. Each message of ACME is written before it is signed: who
signs it, its protected header, its payload; a message may hold another one.
"""

import base64
import gzip
import json

from der import NULL, boolean, explicit, implicit, integer, nested, octets, oid, sequence, value
from messages import PRETENDER
from requests import GOOD, P, Q, pem

ENTRIES = []
CSR = base64.urlsafe_b64encode(GOOD).decode().rstrip("=")
FORGED = base64.urlsafe_b64encode(PRETENDER).decode().rstrip("=")
NEVER = {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(b"\1" + bytes(31)).decode().rstrip("=")}
WEB = {"type": "dns", "value": "web.corp.example"}
HERS = {"type": "permanent-identifier", "value": "alice"}


def protected(key="alice", **changes):
    """The usual header of an account, or of a new key; `None` leaves a member out."""
    named = {"kid": f"@{key}@"} if key in ("alice", "bob", "gone") else {"jwk": f"@jwk of {key}@"}
    header = {"alg": "EdDSA", "nonce": "@nonce@", "url": "@url@", **named, **changes}
    return {member: content for member, content in header.items() if content is not None}


def message(payload="", sign="alice", header=None, **more):
    return {"sign": sign, "protected": header or protected(sign), "payload": payload, **more}


def acme(verdict, file, sentence, to, content):
    text = json.dumps({"to": to, "message": content}, indent=1) + "\n"
    ENTRIES.append((f"acme/{file}.json", sentence, ("-", "-", "-", verdict), text.encode()))


# --- the form of a signed message ----------------------------------------------------------------------------------

LIST, NEW, ORDER = "/acme/account/@alice's id@/orders", "/acme/new-account", "/acme/new-order"
ALG, BAD, KEY = "badSignatureAlgorithm", "malformed", "badPublicKey"
for verdict, file, sentence, content in [
    (ALG, "alg-none", "signed by nobody, and says so", message(sign="nobody", header=protected(alg="none"))),
    (ALG, "alg-none-case", "the same in other letters", message(sign="nobody", header=protected(alg="nOnE"))),
    (ALG, "alg-public-key", "a MAC whose key is the public key", message(sign="public key", header=protected(alg="HS256"))),
    (ALG, "alg-other-kind", "RSA, by a key that is not", message(header=protected(alg="RS256"))),
    (ALG, "alg-empty", "an empty algorithm", message(header=protected(alg=""))),
    (BAD, "no-alg", "no algorithm", message(header=protected(alg=None))),
    (BAD, "no-signature", "an empty signature", message(sign="nobody", header=protected())),
    (BAD, "others-signature", "alice's account, bob's signature", message(sign="bob", header=protected())),
    (BAD, "key-and-account", "key and account in one header", message(header=protected(jwk="@jwk of alice@"))),
    (BAD, "no-key", "neither key nor account", message(header=protected(kid=None))),
    (BAD, "key-for-account", "a key where an account must stand", message(header=protected(kid=None, jwk="@jwk of alice@"))),
    ("unauthorized", "other-url", "signed for another URL", message(header=protected(url="@base@/new-order"))),
    ("unauthorized", "other-host", "signed for another house", message(header=protected(url="https://evil.example/acme"))),
    (BAD, "no-url", "signed for no URL", message(header=protected(url=None))),
    (BAD, "no-nonce", "no nonce", message(header=protected(nonce=None))),
    ("badNonce", "invented-nonce", "a nonce that was not given out", message(header=protected(nonce="aW52ZW50ZWQ"))),
    (BAD, "torn-nonce", "a nonce that is no base64url", message(header=protected(nonce="not base64url!"))),
    (f"{BAD}, badNonce", "replayed", "one message twice", message("something")),
    (BAD, "unprotected-header", "a header that nobody signed", message(header_=1)),
    (BAD, "signatures", "several signatures", message(signatures=[])),
    (BAD, "critical", "an extension that must be understood", message(header=protected(crit=["exp"], exp=1))),
    (BAD, "b64", "a payload that is not encoded", message(header=protected(b64=False))),
    (BAD, "torn-header", "a header that is a number", message(header=7)),
    (BAD, "long-header", "a header of 40 kB", message(header=protected(x="x" * 30_000))),
    ("accountDoesNotExist", "unknown-account", "an account that there is not", message(header=protected(kid="@base@/account/nobody"))),
    ("accountDoesNotExist", "account-elsewhere", "an account of another house", message(header=protected(kid="https://evil.example/acme/account/1"))),
    ("accountDoesNotExist", "account-path", "a path to elsewhere for an account", message(header=protected(kid="@base@/account/../../etc/passwd"))),
    ("accountDoesNotExist", "account-sql", "a piece of SQL for an account", message(header=protected(kid="@base@/account/' OR 1=1 --"))),
    ("unauthorized", "gone-account", "an account that was deactivated", message(sign="gone")),
    (BAD, "not-empty", "something asked where there is only to be read", message({})),
]:  # fmt: skip
    content["header"] = content.pop("header_", None)
    if content["header"] is None:
        del content["header"]
    acme(verdict, file, sentence, LIST, content)

# --- accounts ------------------------------------------------------------------------------------------------------


def bound(sign="token", header=None, payload="@jwk of new@", kid="@token@"):
    header = {"alg": "HS256", "kid": kid, "url": "@url@", **(header or {})}
    return message({"externalAccountBinding": {"sign": sign, "protected": header, "payload": payload}}, "new")


POINT = base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")
MODULUS = base64.urlsafe_b64encode((P * Q >> 1024).to_bytes(128, "big")).decode().rstrip("=")
for verdict, file, sentence, content in [
    ("externalAccountRequired", "unbound", "an account without a token", message({}, "new")),
    ("unauthorized", "eab-wrong-mac", "a token with a wrong secret", bound("nobody")),
    ("unauthorized", "eab-other-secret", "a token with another token's secret", bound("token", kid="@spoilt@")),
    ("unauthorized", "eab-unknown", "a token that nobody drew", bound(kid="nobody")),
    ("unauthorized", "eab-used", "a token that was used", bound("used", kid="@used@")),
    (BAD, "eab-other-key", "a token for another key", bound(payload="@jwk of alice@")),
    (BAD, "eab-other-url", "a token for another URL", bound(header={"url": "@base@/new-order"})),
    (BAD, "eab-nonce", "a token with a nonce", bound(header={"nonce": "@nonce@"})),
    (BAD, "eab-no-name", "a token without a name", bound(kid="")),
    (ALG, "eab-none", "a token whose secret nobody used", bound("nobody", header={"alg": "none"})),
    (ALG, "eab-public", "a token with a signature in the place of a MAC", bound("new", header={"alg": "EdDSA"})),
    (ALG, "eab-hs512", "a MAC that is longer than the secret", bound("token", header={"alg": "HS512"})),
    (BAD, "eab-text", "a binding that is a text", message({"externalAccountBinding": "please"}, "new")),
    ("unsupportedContact", "contact-telephone", "a telephone number for a contact", message({"contact": ["tel:+491234"]}, "new")),
    ("unsupportedContact", "contact-web", "a web page for a contact", message({"contact": ["https://evil.example/"]}, "new")),
    ("invalidContact", "contact-two", "two addresses in one contact", message({"contact": ["mailto:a@corp.example,b@corp.example"]}, "new")),
    ("invalidContact", "contact-header", "a contact with a header of its own", message({"contact": ["mailto:a@corp.example?bcc=ceo@corp.example"]}, "new")),
    ("invalidContact", "contact-line", "a line break in a contact", message({"contact": ["mailto:a@corp.example\r\nBcc: ceo"]}, "new")),
    ("invalidContact", "contact-11", "eleven contacts", message({"contact": ["mailto:a@corp.example"] * 11}, "new")),
    ("accountDoesNotExist", "only-existing", "a key of which no account is known", message({"onlyReturnExisting": True}, "new")),
    (BAD, "new-by-account", "a new account, asked for by an account", message({})),
    (BAD, "account-of-text", "an account that is a text", message("account", "new")),
    (KEY, "private-key", "a key with its private half", message({}, "new", protected("new", jwk={"kty": "OKP", "crv": "Ed25519", "x": POINT, "d": POINT}))),
    (KEY, "secret-key", "a secret for a key", message({}, "new", protected("new", jwk={"kty": "oct", "k": POINT}))),
    (KEY, "off-curve", "a point beside the curve", message({}, "new", protected("new", alg="ES256", jwk={"kty": "EC", "crv": "P-256", "x": POINT, "y": POINT}))),
    (KEY, "secp256k1", "the curve secp256k1", message({}, "new", protected("new", alg="ES256", jwk={"kty": "EC", "crv": "secp256k1", "x": POINT, "y": POINT}))),
    (KEY, "rsa-1024", "RSA of 1024 bits", message({}, "new", protected("new", alg="RS256", jwk={"kty": "RSA", "n": MODULUS, "e": "AQAB"}))),
    (KEY, "rsa-exponent-3", "RSA with exponent 3", message({}, "new", protected("new", alg="RS256", jwk={"kty": "RSA", "n": MODULUS * 2, "e": "Aw"}))),
    (KEY, "identity-key", "the neutral point of Ed25519: one signature fits every message", message({}, "identity", protected("new", jwk=NEVER))),
    (KEY, "x25519", "a key that signs nothing", message({}, "new", protected("new", jwk={"kty": "OKP", "crv": "X25519", "x": POINT}))),
]:  # fmt: skip
    acme(verdict, file, sentence, NEW, content)
acme("malformed", "account-of-bob", "alice reads bob's account", "/acme/account/@bob's id@", message())
acme("malformed", "account-revived", "an account is to be made valid", "/acme/account/@alice's id@", message({"status": "valid"}))
acme("malformed", "account-judged", "an account is to be revoked by its owner", "/acme/account/@alice's id@", message({"status": "revoked"}))


def changed(sign="new", header=None, **changes):
    header = {"alg": "EdDSA", "url": "@url@", "jwk": "@jwk of new@", **(header or {})}
    payload = {"account": "@alice@", "oldKey": "@jwk of alice@", **changes}
    return message({"sign": sign, "protected": header, "payload": payload})


for verdict, file, sentence, content in [
    (BAD, "other-signature", "a new key that did not sign", changed("bob")),
    (BAD, "other-account", "a new key for bob's account", changed(account="@bob@")),
    (BAD, "other-old-key", "a change from a key that the account has not", changed(oldKey="@jwk of bob@")),
    (BAD, "other-url", "a change for another URL", changed(header={"url": "@base@/new-order"})),
    (BAD, "nonce", "a change with a nonce inside", changed(header={"nonce": "@nonce@"})),
    (BAD, "taken", "a key that is another account's", changed("bob", header={"jwk": "@jwk of bob@"})),
    (BAD, "nothing", "a change to nothing", message({})),
    (ALG, "none", "a new key that signed by no algorithm", changed("nobody", header={"alg": "none"})),
    (KEY, "identity", "a change to a key that everybody has", changed("identity", header={"jwk": NEVER})),
]:  # fmt: skip
    acme(verdict, f"key-change-{file}", sentence, "/acme/key-change", content)

# --- orders --------------------------------------------------------------------------------------------------------

for verdict, file, sentence, content in [
    ("rejectedIdentifier", "foreign", "a host that was not granted", {"identifiers": [WEB]}),
    ("rejectedIdentifier", "wildcard", "a wildcard", {"identifiers": [{"type": "dns", "value": "*.corp.example"}]}),
    ("rejectedIdentifier", "bob", "somebody else", {"identifiers": [{"type": "permanent-identifier", "value": "bob"}]}),
    ("rejectedIdentifier", "mail", "somebody else's mail address", {"identifiers": [{"type": "email", "value": "bob@corp.example"}]}),
    ("rejectedIdentifier", "address", "an address", {"identifiers": [{"type": "ip", "value": "127.0.0.1"}]}),
    ("rejectedIdentifier", "second", "one's own name, and somebody else's", {"identifiers": [HERS, {"type": "email", "value": "bob@corp.example"}]}),
    ("compound", "compound", "several names that are each wrong in their own way", {"identifiers": [{"type": "dns", "value": "*.corp.example"}, {"type": "dns", "value": ""}]}),
    ("unsupportedIdentifier", "kind", "a kind of name that there is not", {"identifiers": [{"type": "tn", "value": "+491234"}]}),
    (BAD, "none", "no name", {"identifiers": []}),
    (BAD, "11", "eleven names", {"identifiers": [{"type": "dns", "value": f"h{n}.corp.example"} for n in range(11)]}),
    (BAD, "nul", "a NUL within a name", {"identifiers": [{"type": "dns", "value": "web\0.corp.example"}]}),
    (BAD, "unicode", "a host in Unicode", {"identifiers": [{"type": "dns", "value": "w\u0435b.corp.example"}]}),
    (BAD, "octal", "an address in octal", {"identifiers": [{"type": "ip", "value": "0177.0.0.1"}]}),
    (BAD, "control", "a control character in a name", {"identifiers": [{"type": "permanent-identifier", "value": "alice\u001b[2K"}]}),
    (BAD, "begin", "a life that begins when the client says", {"identifiers": [HERS], "notBefore": "1970-01-01T00:00:00Z"}),
    (BAD, "end", "a life that ends when the client says", {"identifiers": [HERS], "notAfter": "2099-01-01T00:00:00Z"}),
    (BAD, "replaces-bob", "a successor to bob's certificate", {"identifiers": [HERS], "replaces": "@id of bob's certificate@"}),
    (BAD, "replaces-nothing", "a successor to nothing", {"identifiers": [HERS], "replaces": "x"}),
    (BAD, "text", "names that are texts", {"identifiers": ["alice"]}),
]:  # fmt: skip
    acme(verdict, f"order-{file}", sentence, ORDER, message(content))
for verdict, file, sentence, to, content in [
    (BAD, "order-of-bob", "alice reads bob's order", "/acme/order/@bob's order@", ""),
    (BAD, "finalize-bob", "alice ends bob's order", "/acme/order/@bob's order@/finalize", {"csr": CSR}),
    (BAD, "authorization-of-bob", "alice reads bob's authorization", "/acme/authorization/@bob's order@.0", ""),
    (BAD, "authorization-99", "an authorization that there is not", "/acme/authorization/@order@.99", ""),
    (BAD, "challenge-of-bob", "alice answers bob's challenge", "/acme/challenge/@bob's order@.0", {}),
    (BAD, "certificate-of-bob", "alice fetches bob's certificate", "/acme/certificate/@bob's serial@", ""),
    (BAD, "finalize-nothing", "an order ended without a request", "/acme/order/@order@/finalize", {}),
    (BAD, "finalize-base64", "a request in the other base64", "/acme/order/@order@/finalize", {"csr": "+/=="}),
    ("badCSR", "finalize-pem", "a request in PEM", "/acme/order/@order@/finalize", {"csr": base64.urlsafe_b64encode(pem(GOOD)).decode().rstrip("=")}),
]:  # fmt: skip
    acme(verdict, file, sentence, to, message(content))
for verdict, file, sentence, content in [
    ("unauthorized", "by-stranger", "bob's certificate taken back by a stranger's key", message({"certificate": "@bob's certificate@"}, "new")),
    ("unauthorized", "by-alice", "bob's certificate taken back by alice", message({"certificate": "@bob's certificate@"})),
    (BAD, "forged", "a certificate that the house did not issue", message({"certificate": FORGED})),
    (BAD, "text", "a certificate that is none", message({"certificate": "AAAA"})),
    ("badRevocationReason", "reason-2", "the authority's own reason", message({"certificate": "@bob's certificate@", "reason": 2})),
    ("badRevocationReason", "reason-8", "a reason that only lists have", message({"certificate": "@bob's certificate@", "reason": 8})),
    ("badRevocationReason", "reason-long", "a reason that is too large", message({"certificate": "@bob's certificate@", "reason": 1 << 40})),
    (BAD, "reason-negative", "a negative reason", message({"certificate": "@bob's certificate@", "reason": -1})),
]:  # fmt: skip
    acme(verdict, f"revoke-{file}", sentence, "/acme/revoke-cert", content)

# --- OCSP ----------------------------------------------------------------------------------------------------------

NONCE = "1.3.6.1.5.5.7.48.1.2"


def asked(serial=b"\x01", extensions=b"", name=bytes(20)):
    number = sequence(sequence(oid("1.3.14.3.2.26"), NULL), octets(name), octets(bytes(20)), value(2, serial))
    return sequence(number, extensions)


def question(*ids, version=b"", extensions=()):
    extensions = explicit(2, sequence(*extensions)) if extensions else b""
    return sequence(sequence(version, sequence(*ids), extensions))


def wish(kind, content, critical=False):
    return sequence(oid(kind), boolean(True) if critical else b"", octets(content))


SOUND = question(asked())
for file, sentence, content in [
    ("empty", "nothing", b""),
    ("text", "a text", b"is it good?"),
    ("empty-sequence", "an empty SEQUENCE", sequence()),
    ("trailing", "an octet behind the end", SOUND + b"\0"),
    ("cut", "a question without its last octet", SOUND[:-1]),
    ("indefinite", "an indefinite length (BER)", b"\x30\x80" + SOUND[2:] + b"\0\0"),
    ("lying-length", "a length of four gigabytes", b"\x30\x84\xff\xff\xff\xff" + SOUND[2:]),
    ("nested-1000", "a thousand SEQUENCEs within each other", nested(1000)),
    ("long", "more than four kilobytes", question(asked(name=bytes(4100)))),
    ("certificates-0", "about no certificate", question()),
    ("certificates-17", "about seventeen certificates", question(*[asked()] * 17)),
    ("version-2", "the version 2", question(asked(), version=explicit(0, integer(1)))),
    ("version-256", "a version of two octets", question(asked(), version=explicit(0, integer(256)))),
    ("nonce-0", "an empty nonce", question(asked(), extensions=[wish(NONCE, octets(b""))])),
    ("nonce-129", "a nonce of 129 octets", question(asked(), extensions=[wish(NONCE, octets(bytes(129)))])),
    ("nonce-bare", "a nonce that is no OCTET STRING", question(asked(), extensions=[wish(NONCE, b"nonce")])),
    ("nonce-twice", "two nonces", question(asked(), extensions=[wish(NONCE, octets(bytes(8)))] * 2)),
    ("critical", "an unknown critical extension", question(asked(), extensions=[wish("1.2.3.4", NULL, True)])),
    ("critical-single", "an unknown critical extension about one certificate",
     question(asked(extensions=explicit(0, sequence(wish("1.2.3.4", NULL, True)))))),
    ("serial-22", "a serial of 22 octets", question(asked(bytes([1] * 22)))),
    ("serial-0", "a serial of no octets", question(asked(b""))),
    ("response", "an answer in the place of a question", sequence(value(10, b"\0"))),
]:  # fmt: skip
    ENTRIES.append((f"ocsp/{file}.der", sentence, ["-", "-", "-", "-", "malformedRequest"], content))

# --- HTTP ----------------------------------------------------------------------------------------------------------

FRONTS = ["est", "api", "cmp", "acme", "ocsp"]


def http(front, verdict, file, sentence, line, headers, body=""):
    head = "".join(f"{header}: {content}\n" for header, content in headers.items())
    verdict = [verdict if front == name else "-" for name in FRONTS]
    body = body if isinstance(body, bytes) else body.encode()
    ENTRIES.append((f"http/{front}-{file}.http", sentence, verdict, f"{line}\n{head}\n".encode() + body))


ENROLL, PKCS10, BODY = "POST /.well-known/est/simpleenroll", "application/pkcs10", base64.b64encode(GOOD).decode()
TOKEN, API, CMP = "Basic @basic@", "POST /api/v1/enroll", "POST /.well-known/cmp"


def est(verdict, file, sentence, line=ENROLL, body=BODY, kind=PKCS10, authorization=TOKEN, **more):
    headers = {"Content-Type": kind, "Authorization": authorization, **more}
    http("est", verdict, file, sentence, line, {name: text for name, text in headers.items() if text}, body)


est("401", "no-token", "no token", authorization=None)
est("401", "wrong-secret", "a token with a wrong secret", authorization="Basic @basic spoilt@")
est("401", "used-token", "a token that was used", authorization="Basic @basic used@")
est("401", "unknown-token", "a token that nobody drew", authorization="Basic bm9ib2R5Om5vdGhpbmc=")
est("401", "no-colon", "a token without a secret", authorization="Basic bm9ib2R5")
est("401", "torn-basic", "credentials that are no base64", authorization="Basic !!!")
est("401", "bearer", "a token by another scheme", authorization="Bearer @token secret@")
est("401", "long-token", "a token's name of 6,000 letters", authorization="Basic " + base64.b64encode(b"a" * 6000 + b":b").decode())
est("400", "other-profile", "a server's certificate by a client's token", "POST /.well-known/est/server/simpleenroll")
est("400", "unknown-profile", "a certificate of an authority", "POST /.well-known/est/root/simpleenroll")
est("401", "renew-nothing", "a renewal without a certificate", "POST /.well-known/est/simplereenroll")
est("415", "json", "JSON", kind="application/json", body='{"csr": ""}')
est("415", "no-kind", "a request of no kind", kind=None)
est("415", "form", "a form", kind="application/x-www-form-urlencoded", body="csr=" + BODY)
est("415", "pkcs7", "another kind than the request's", kind="application/pkcs7-mime")
est("400", "no-base64", "a body that is no base64", body="!" * 400)
est("400", "gzip", "a compressed body", body=base64.b64encode(gzip.compress(GOOD, mtime=0)), **{"Content-Encoding": "gzip"})
est("413", "megabyte", "a megabyte", body="@megabyte@")
est("413", "25-kilobytes", "a kilobyte too many", body="A" * 25_000)
for verdict, file, sentence, authorization, body in [
    ("400", "no-token", "no token", None, GOOD),
    ("409", "unknown-token", "a token that nobody drew", "Bearer nobody", GOOD),
    ("409", "used-token", "a token that was used", "Bearer @used secret@", GOOD),
    ("400", "basic", "a token by another scheme", TOKEN, GOOD),
    ("400", "base64", "a request in bare base64", "Bearer @token secret@", BODY),
    ("400", "megabyte", "a megabyte", "Bearer @token secret@", "@megabyte@"),
]:
    http("api", verdict, file, sentence, API, {"Authorization": authorization} if authorization else {}, body)
http("api", "409", "renew-nothing", "a renewal without a certificate", "POST /api/v1/renew", {}, GOOD)
for verdict, file, sentence, headers, body in [
    ("415", "no-kind", "a message of no kind", {}, b"0"),
    ("415", "pkcs10", "another kind than the message's", {"Content-Type": PKCS10}, b"0"),
    ("415", "json", "JSON", {"Content-Type": "application/json"}, b"{}"),
    ("413", "megabyte", "a megabyte", {"Content-Type": "application/pkixcmp"}, "@megabyte@"),
]:
    http("cmp", verdict, file, sentence, CMP, headers, body)
JOSE = {"Content-Type": "application/jose+json"}
for file, sentence, line, headers, body in [
    ("json", "plain JSON", f"POST {ORDER}", {"Content-Type": "application/json"}, "{}"),
    ("no-kind", "a message of no kind", f"POST {ORDER}", {}, "{}"),
    ("megabyte", "a megabyte", f"POST {ORDER}", JOSE, "@megabyte@"),
    ("get", "an order by GET", f"GET {ORDER}", {}, ""),
    ("put", "an order by PUT", f"PUT {ORDER}", JOSE, "{}"),
    ("text", "a text", f"POST {ORDER}", JOSE, "a certificate, please"),
    ("list", "a list", f"POST {ORDER}", JOSE, '["e30", "e30", "e30"]'),
    ("deep", "ten thousand lists within each other", f"POST {ORDER}", JOSE, "[" * 10_000),
    ("twice", "a member twice", f"POST {ORDER}", JOSE, '{"protected": "e30", "protected": "e30", "payload": "", "signature": ""}'),
    ("base64", "a header in the other base64", f"POST {ORDER}", JOSE, '{"protected": "+/==", "payload": "", "signature": ""}'),
    ("compact", "the compact form", f"POST {ORDER}", JOSE, "e30.e30.e30"),
    ("long", "a message of 36 kB", f"POST {ORDER}", JOSE, '{"protected": "' + "e" * 36_000 + '"}'),
]:  # fmt: skip
    http("acme", BAD, file, sentence, line, headers, body)
for file, sentence, line, body in [
    ("get-base64", "a path that is no base64", "GET /ocsp/not*base64", ""),
    ("get-text", "a path that is base64 of a text", "GET /ocsp/aXMgaXQgZ29vZD8=", ""),
    ("get-nul", "a path with a NUL", "GET /ocsp/%00", ""),
    ("get-torn", "a path with half a letter", "GET /ocsp/%C3", ""),
    ("get-long", "a path of 6,000 letters", "GET /ocsp/" + "A" * 6000, ""),
    ("post-form", "a form", "POST /ocsp", "request=MAA="),
    ("post-base64", "a question in base64", "POST /ocsp", base64.b64encode(SOUND)),
    ("post-megabyte", "a megabyte", "POST /ocsp", "@megabyte@"),
]:  # fmt: skip
    http("ocsp", "malformedRequest", file, sentence, line, {}, body)
