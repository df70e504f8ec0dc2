"""Keys that are the same each time, sound ones and others, and signatures that draw nothing at random."""

import hashlib
import math
import random

from der import NULL, bits, integer, octets, oid, sequence

RSA, EC, ED25519 = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1", "1.3.101.112"
HASHES = {"md5": 4, "sha1": 5, "sha256": 11, "sha384": 12, "sha512": 13}
DIGEST_INFO = {"md5": "1.2.840.113549.2.5", "sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1"}


def spki(algorithm, key, unused=0):
    return sequence(algorithm, bits(key, unused))


class Ed25519:
    """RFC 8032 §5.1."""

    P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
    D = -121665 * pow(121666, -1, P) % P
    algorithm = sequence(oid(ED25519))

    def __init__(self, name):
        digest = hashlib.sha512(hashlib.sha256(name.encode()).digest()).digest()
        self.scalar = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
        self.prefix = digest[32:]
        self.public = self.encode(self.times(self.scalar))
        self.spki = spki(self.algorithm, self.public)

    @classmethod
    def add(cls, one, other):
        (x1, y1), (x2, y2) = one, other
        k = cls.D * x1 * x2 * y1 * y2 % cls.P
        x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, cls.P)
        return x % cls.P, (y1 * y2 + x1 * x2) * pow(1 - k, -1, cls.P) % cls.P

    @classmethod
    def base(cls):
        y = 4 * pow(5, -1, cls.P) % cls.P
        square = (y * y - 1) * pow(cls.D * y * y + 1, -1, cls.P) % cls.P
        x = pow(square, (cls.P + 3) // 8, cls.P)
        if x * x % cls.P != square:
            x = x * pow(2, (cls.P - 1) // 4, cls.P) % cls.P
        return (x if x % 2 == 0 else cls.P - x), y

    @classmethod
    def times(cls, scalar):
        sum_, point = (0, 1), cls.base()
        while scalar:
            if scalar & 1:
                sum_ = cls.add(sum_, point)
            point, scalar = cls.add(point, point), scalar >> 1
        return sum_

    @staticmethod
    def encode(point):
        return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")

    def sign(self, message):
        number = lambda *parts: int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % self.L
        nonce = number(self.prefix, message)
        commitment = self.encode(self.times(nonce))
        proof = (nonce + number(commitment, self.public, message) * self.scalar) % self.L
        return commitment + proof.to_bytes(32, "little")


class Curve:
    """A curve over a prime field, in short Weierstrass form."""

    def __init__(self, number, p, a, b, x, y, order):
        self.number, self.p, self.a, self.b, self.base, self.order = number, p, a % p, b, (x, y), order
        self.width = (p.bit_length() + 7) // 8

    def add(self, one, other):
        if one is None or other is None:
            return one or other
        (x1, y1), (x2, y2) = one, other
        if x1 == x2 and (y1 + y2) % self.p == 0:
            return None
        if one == other:
            slope = (3 * x1 * x1 + self.a) * pow(2 * y1, -1, self.p)
        else:
            slope = (y2 - y1) * pow(x2 - x1, -1, self.p)
        x = (slope * slope - x1 - x2) % self.p
        return x, (slope * (x1 - x) - y1) % self.p

    def times(self, scalar, point=None):
        sum_, point = None, point or self.base
        while scalar:
            if scalar & 1:
                sum_ = self.add(sum_, point)
            point, scalar = self.add(point, point), scalar >> 1
        return sum_

    def octets(self, number):
        return number.to_bytes(self.width, "big")

    def point(self, point):
        return b"\4" + self.octets(point[0]) + self.octets(point[1])

    def named(self):
        return sequence(oid(EC), oid(self.number))

    def explicit(self, base=None):
        field = sequence(oid("1.2.840.10045.1.1"), integer(self.p))
        curve = sequence(octets(self.octets(self.a)), octets(self.octets(self.b)))
        point = octets(self.point(base or self.base))
        return sequence(oid(EC), sequence(integer(1), field, curve, point, integer(self.order), integer(1)))


def curve(number, *hexes):
    return Curve(number, *(int(text, 16) for text in hexes))


P256 = curve(
    "1.2.840.10045.3.1.7",
    "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", "-3",
    "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
)  # fmt: skip
P192 = curve(
    "1.2.840.10045.3.1.1",
    "fffffffffffffffffffffffffffffffeffffffffffffffff", "-3",
    "64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1",
    "188da80eb03090f67cbf20eb43a18800f4ff0afd82ff1012",
    "07192b95ffc8da78631011ed6b24cdd573f977a11e794811",
    "ffffffffffffffffffffffff99def836146bc9b1b4d22831",
)  # fmt: skip
P224 = curve(
    "1.3.132.0.33",
    "ffffffffffffffffffffffffffffffff000000000000000000000001", "-3",
    "b4050a850c04b3abf54132565044b0b7d7bfd8ba270b39432355ffb4",
    "b70e0cbd6bb4bf7f321390b94a03c1d356c21122343280d6115c1d21",
    "bd376388b5f723fb4c22dfe6cd4375a05a07476444d5819985007e34",
    "ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d",
)  # fmt: skip
SECP256K1 = curve(
    "1.3.132.0.10",
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f", "0", "7",
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
)  # fmt: skip
BRAINPOOL = curve(
    "1.3.36.3.3.2.8.1.1.7",
    "a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377",
    "7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9",
    "26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6",
    "8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262",
    "547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997",
    "a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7",
)  # fmt: skip


class Elliptic:
    """A key on a curve, signing by ECDSA with SHA-256 or SHA-1."""

    def __init__(self, curve, algorithm=None, encode=None, hash_="sha256"):
        self.curve, self.hash = curve, hash_
        self.secret = int.from_bytes(hashlib.sha256(curve.number.encode()).digest(), "big") % curve.order
        self.point = curve.times(self.secret)
        self.algorithm = sequence(oid("1.2.840.10045.4.1" if hash_ == "sha1" else "1.2.840.10045.4.3.2"))
        self.spki = spki(algorithm or curve.named(), (encode or curve.point)(self.point))

    def sign(self, message):
        digest = hashlib.new(self.hash, message).digest()[: self.curve.width]
        order, number = self.curve.order, int.from_bytes(digest, "big")
        nonce = int.from_bytes(hashlib.sha256(digest + self.spki).digest(), "big") % order
        r = self.curve.times(nonce)[0] % order
        return sequence(integer(r), integer((number + r * self.secret) * pow(nonce, -1, order) % order))


def is_prime(number):
    draw = random.Random(number)
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(12):
        power = pow(draw.randrange(2, number - 1), odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


SMALL = math.prod(n for n in range(3, 2000) if all(n % d for d in range(2, math.isqrt(n) + 1)))


def next_prime(number, step=2):
    number |= 1
    while math.gcd(number, SMALL) > 1 or not is_prime(number):
        number += step
    return number


def prime(size, name):
    """A prime of this size whose two highest bits are set."""
    return next_prime(random.Random(f"{name} {size}").getrandbits(size) | 3 << size - 2)


def roca_prime(size, name):
    """A prime as a certain chip made them (CVE-2017-15361): a power of 65537 modulo many small primes."""
    product = math.prod(n for n in range(2, 702) if all(n % d for d in range(2, math.isqrt(n) + 1)))
    draw = random.Random(name)
    while True:
        multiple = draw.getrandbits(size - product.bit_length()) | 3 << size - product.bit_length() - 2
        candidate = multiple * product + pow(65537, draw.getrandbits(64), product)
        if candidate.bit_length() == size and is_prime(candidate):
            return candidate


class Rsa:
    """A key of these primes, signing by RSASSA-PKCS1-v1_5."""

    def __init__(self, primes, exponent=65537, hash_="sha256", parameters=NULL, numbers=None, kind=RSA):
        self.primes, self.modulus, self.hash = primes, math.prod(primes), hash_
        group = math.lcm(*(p * (p - 1) if primes.count(p) > 1 else p - 1 for p in primes))
        self.secret = pow(exponent, -1, group) if math.gcd(exponent, group) == 1 else 1
        self.algorithm = sequence(oid(f"1.2.840.113549.1.1.{HASHES[hash_]}"), NULL)
        numbers = numbers or sequence(integer(self.modulus), integer(exponent))
        self.spki = spki(sequence(oid(kind), parameters), numbers)

    def sign(self, message):
        width = (self.modulus.bit_length() + 7) // 8
        digest = octets(hashlib.new(self.hash, message).digest())
        info = sequence(sequence(oid(DIGEST_INFO[self.hash]), NULL), digest)
        padded = b"\0\1" + b"\xff" * (width - len(info) - 3) + b"\0" + info
        return self.power(int.from_bytes(padded, "big")).to_bytes(width, "big")

    def power(self, number):
        """By the Chinese remainder theorem where the primes differ, which is many times faster."""
        if len(set(self.primes)) < len(self.primes):
            return pow(number, self.secret, self.modulus)
        result, product = 0, 1
        for p in self.primes:
            result += product * ((pow(number, self.secret % (p - 1), p) - result) * pow(product, -1, p) % p)
            product *= p
        return result


class Mute:
    """A key that signs nothing, or for which nobody here can sign."""

    algorithm = Ed25519.algorithm

    def __init__(self, spki, signature=b"\7" * 64, algorithm=None):
        self.spki, self.signature = spki, signature
        self.algorithm = algorithm or self.algorithm

    def sign(self, _message):
        return self.signature

