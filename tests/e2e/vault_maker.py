"""vault_maker.py - makes vaults by hand after docs/format/vault.md, with nothing of the program: Python's hashes, and
libsodium and Zstandard through ctypes. What it makes may be as wrong as a test wants it."""

import base64
import ctypes
import hashlib
import hmac
import os
import random
import struct

_sodium = ctypes.CDLL("libsodium.so.23")
_zstd = ctypes.CDLL("libzstd.so.1")
if _sodium.sodium_init() < 0:
    raise RuntimeError("libsodium does not start")
_zstd.ZSTD_compressBound.restype = ctypes.c_size_t
_zstd.ZSTD_compress_usingDict.restype = ctypes.c_size_t
_zstd.ZDICT_trainFromBuffer.restype = ctypes.c_size_t
_zstd.ZSTD_createCCtx.restype = ctypes.c_void_p
_zstd_context = ctypes.c_void_p(_zstd.ZSTD_createCCtx())
_long = ctypes.c_ulonglong


def _call(name, size, *arguments):
    """A function of libsodium that writes `size` bytes; bytes are passed as they are, numbers as 64 bits."""
    out = ctypes.create_string_buffer(max(size, 1))
    if getattr(_sodium, name)(out, *[_long(a) if isinstance(a, int) else a for a in arguments]):
        raise RuntimeError(name)
    return out.raw[:size]


def x25519_public(secret):
    return _call("crypto_scalarmult_base", 32, secret)


def x25519(secret, public):
    return _call("crypto_scalarmult", 32, secret, public)


def box_seal(message, public, rng):
    """What libsodium's crypto_box_seal makes, from numbers that a seed gives."""
    ephemeral = rng.randbytes(32)
    share = x25519_public(ephemeral)
    nonce = hashlib.blake2b(share + public, digest_size=24).digest()
    return share + _call("crypto_box_easy", len(message) + 16, message, len(message), nonce, public, ephemeral)


def xchacha(message, clear, nonce, key):
    return _call("crypto_aead_xchacha20poly1305_ietf_encrypt", len(message) + 16, None, message, len(message), clear,
                 len(clear), None, nonce, key)


def chacha(message, nonce, key):
    return _call("crypto_aead_chacha20poly1305_ietf_encrypt", len(message) + 16, None, message, len(message), None, 0,
                 None, nonce, key)


def sign_keys(seed):
    secret = ctypes.create_string_buffer(64)
    return _call("crypto_sign_seed_keypair", 32, secret, seed), secret.raw


def sign(message, secret):
    return _call("crypto_sign_detached", 64, None, message, len(message), secret)


def secretbox(message, nonce, key):
    return _call("crypto_secretbox_easy", len(message) + 16, message, len(message), nonce, key)


def argon2id(passphrase, salt, passes, memory):
    return _call("crypto_pwhash", 32, 32, passphrase, len(passphrase), salt, passes, memory, 2)


def compress(data, dictionary=b""):
    room = _zstd.ZSTD_compressBound(ctypes.c_size_t(len(data)))
    out = ctypes.create_string_buffer(room)
    size = _zstd.ZSTD_compress_usingDict(_zstd_context, out, ctypes.c_size_t(room), data, ctypes.c_size_t(len(data)),
                                         dictionary, ctypes.c_size_t(len(dictionary)), 3)
    return out.raw[:size]


def dictionary_train(samples, room=2048):
    """A dictionary in Zstandard's own format (RFC 8878, section 5)."""
    sizes = (ctypes.c_size_t * len(samples))(*map(len, samples))
    out = ctypes.create_string_buffer(room)
    size = _zstd.ZDICT_trainFromBuffer(out, ctypes.c_size_t(room), b"".join(samples), sizes, len(samples))
    if _zstd.ZDICT_isError(ctypes.c_size_t(size)):
        raise RuntimeError("no dictionary comes of it")
    return out.raw[:size]


def b64(data):
    return base64.b64encode(data).decode()


def age_identity(secret):
    """AGE-SECRET-KEY-1..., Bech32 (BIP 173)."""
    letters, hrp = "qpzry9x8gf2tvdw0s3jn54khce6mua7l", "age-secret-key-"

    def polymod(values):
        sum_ = 1
        for value in values:
            top = sum_ >> 25
            sum_ = (sum_ & 0x1FFFFFF) << 5 ^ value
            for bit, part in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                sum_ ^= part if top >> bit & 1 else 0
        return sum_

    bits = "".join(f"{byte:08b}" for byte in secret)
    bits += "0" * (-len(bits) % 5)
    data = [int(bits[i:i + 5], 2) for i in range(0, len(bits), 5)]
    head = [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]
    check = polymod(head + data + [0] * 6) ^ 1
    data += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return (hrp + "1" + "".join(letters[d] for d in data)).upper()


def hkdf(secret, salt, info):
    extracted = hmac.new(salt or bytes(32), secret, "sha256").digest()
    return hmac.new(extracted, info + b"\x01", "sha256").digest()


def age_encrypt(body, public, rng):
    """An age v1 file with one X25519 recipient."""

    def raw(data):
        return base64.b64encode(data).rstrip(b"=")

    file_key, ephemeral, salt = rng.randbytes(16), rng.randbytes(32), rng.randbytes(16)
    share = x25519_public(ephemeral)
    wrap = hkdf(x25519(ephemeral, public), share + public, b"age-encryption.org/v1/X25519")
    head = b"age-encryption.org/v1\n-> X25519 " + raw(share) + b"\n" + raw(chacha(file_key, bytes(12), wrap)) + b"\n---"
    out = head + b" " + raw(hmac.new(hkdf(file_key, b"", b"header"), head, "sha256").digest()) + b"\n" + salt
    key = hkdf(file_key, salt, b"payload")
    chunks = [body[i:i + 65536] for i in range(0, len(body), 65536)] or [b""]
    for i, chunk in enumerate(chunks):
        out += chacha(chunk, i.to_bytes(11, "big") + bytes([i == len(chunks) - 1]), key)
    return out


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def tree_hash(leaves):
    """MTH of RFC 6962, section 2.1, as it is written there."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + tree_hash(leaves[:half]) + tree_hash(leaves[half:])).digest()


def tree_path(index, leaves):
    """PATH of RFC 6962, section 2.1.1."""
    if len(leaves) < 2:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if index < half:
        return tree_path(index, leaves[:half]) + [tree_hash(leaves[half:])]
    return tree_path(index - half, leaves[half:]) + [tree_hash(leaves[:half])]


def envelope(kind, body, **fields):
    """Fields: m, s, a, o (text), c, r, f, n, i, w (numbers), raw (bytes put before the body)."""
    out = b"\x01k\x00\x01" + bytes([kind])
    raw = fields.pop("raw", b"")
    for tag, value in fields.items():
        value = value.encode() if isinstance(value, str) else struct.pack(">Q", value & (1 << 64) - 1) if isinstance(value, int) else value
        out += tag.encode() + struct.pack(">H", len(value)) + value
    return out + raw + b"B" + body


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


DICTIONARY = dictionary_train([f"MSH|^~\\&|GAM|CHV|VEILLEUSE|CHV|2026{i}||ADT^A01|{i}|P|2.5\rPID|1||{i * 7}^^^CHV||NOM{i}^Marie\r".encode()
                               for i in range(400)])


class Vault:
    """A vault that is built in memory and written as a writer would have left it."""

    def __init__(self, directory, seed=1, site="hospital.example", node="node-1"):
        self.rng = random.Random(seed)
        self.dir = directory
        self.stem = f"{site}/veilleuse/{node}/"
        self.public, self.secret = sign_keys(self.rng.randbytes(32))
        self.identity = self.rng.randbytes(32)
        self.origins = [self.stem + "1"]
        self.entries, self.bodies, self.leaves = [], [], []
        self.epochs, self.epoch, self.dictionary = {}, 0, 0
        self.dictionary_body, self.clock, self.roots = b"", 1700000000000 << 16, {}
        self.bundles = b""
        self.write_verifier()

    # ---- keys of the log ----

    def verifier_line(self, origin=None, key=None, public=None):
        origin, public = origin or self.origins[0], public or self.public
        key = key or hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
        return f"{origin}+{key.hex()}+{b64(bytes([1]) + public)}"

    def write_verifier(self):
        put(f"{self.dir}/verifier", "".join(self.verifier_line(o) + "\n" for o in self.origins).encode())

    def origin_next(self):
        self.origins.append(f"{self.stem}{len(self.origins) + 1}-{self.rng.randbytes(4).hex()}")
        self.write_verifier()

    def note(self, size, root, origin=None, secret=None, lines=""):
        origin = origin or self.origins[-1]
        text = f"{origin}\n{size}\n{b64(root)}\n"
        key = hashlib.sha256(origin.encode() + b"\n\x01" + self.public).digest()[:4]
        return (text + f"\n\u2014 {origin} {b64(key + sign(text.encode(), secret or self.secret))}\n" + lines).encode()

    # ---- entries ----

    def append(self, sealed):
        self.entries.append(sealed)
        self.leaves.append(leaf_hash(sealed))
        return len(self.entries) - 1

    def seal(self, plain, compressed=False, dictionary=0, blob=b"", epoch=None, key=None, version=1, form=None):
        epoch = self.epoch if epoch is None else epoch
        if compressed:
            plain = compress(plain, self.dictionary_body if dictionary else b"")
        form = (1 if compressed else 0) | (2 if blob else 0) if form is None else form
        head = bytes([version, form]) + struct.pack(">II", dictionary, epoch) + blob
        nonce = self.rng.randbytes(24)
        return head + nonce + xchacha(plain, self.origins[0].encode() + head, nonce, key or self.epochs[epoch])

    def tick(self):
        self.clock += self.rng.randrange(1, 1 << 20)
        return {"c": self.clock, "r": (self.clock >> 16) * 1000 + self.rng.randrange(1000)}

    def state(self, name, data, **fields):
        """The open entry for a file in keys/."""
        plain = envelope(3, hashlib.sha256(data).digest(), s="vault/keys/" + name, **{**self.tick(), **fields})
        return self.append(b"\x01\x04" + bytes(8) + plain)

    def key_file(self, epoch, name, publics, extra=""):
        data = f"veilleuse-epoch-key/1\nepoch {epoch}\n{extra}"
        data += "".join(f"recipient {p.hex()} {b64(box_seal(self.epochs[epoch], p, self.rng))}\n" for p in publics)
        put(f"{self.dir}/keys/{name}", data.encode())
        return data.encode()

    def epoch_begin(self, key=None, dictionary=None):
        self.epoch += 1
        self.epochs[self.epoch] = key or self.rng.randbytes(32)
        other = x25519_public(self.rng.randbytes(32))
        data = self.key_file(self.epoch, str(self.epoch), [other, x25519_public(self.identity)])
        self.state(str(self.epoch), data)
        self.dictionary_body = dictionary = dictionary or DICTIONARY
        self.dictionary = self.append(self.seal(envelope(6, dictionary, **self.tick()), compressed=True))

    def message(self, body, kind=1, compressed=None, **fields):
        fields = {"m": "application/hl7-v2", "s": "mllp/feed", **self.tick(), **fields}
        compressed = self.rng.random() < 0.7 if compressed is None else compressed
        dictionary = self.dictionary if compressed and self.rng.random() < 0.8 else 0
        return self.append(self.seal(envelope(kind, body, **fields), compressed, dictionary))

    def blob(self, body, **fields):
        secret = hashlib.blake2b(b"veilleuse blob identity/1", digest_size=32, key=self.epochs[self.epoch]).digest()
        data = age_encrypt(body, x25519_public(secret), self.rng)
        name = hashlib.sha256(data).digest()
        put(f"{self.dir}/blob/{name.hex()[:2]}/{name.hex()}", data)
        plain = envelope(4, body[:4096], n=len(body), m="application/pdf", s="mllp/feed", **{**self.tick(), **fields})
        return self.append(self.seal(plain, compressed=True, dictionary=self.dictionary, blob=name))

    # ---- files ----

    @staticmethod
    def tile_name(level, n, width=256):
        groups = []
        while True:
            groups.insert(0, f"{n % 1000:03d}")
            n //= 1000
            if not n:
                break
        path = "/".join(["x" + g for g in groups[:-1]] + groups[-1:])
        return f"tile/{level}/{path}" + (f".p/{width}" if width < 256 else "")

    def publish(self, size=None, keep=True):
        """Tiles, bundles and a checkpoint of the first `size` entries."""
        size = len(self.entries) if size is None else size
        hashes, level = self.leaves[:size], 0
        root = tree_hash(hashes)
        before = max((s for s in self.roots if s <= size), default=0)
        for n in range(before // 256, (size + 255) // 256):
            part = self.entries[n * 256:min(size, n * 256 + 256)]
            self.write(self.tile_name("entries", n, len(part)), b"".join(struct.pack(">H", len(e)) + e for e in part))
        while hashes:
            for n in range(before // 256 ** (level + 1), (len(hashes) + 255) // 256):
                part = hashes[n * 256:n * 256 + 256]
                self.write(self.tile_name(level, n, len(part)), b"".join(part))
            hashes = [tree_hash(hashes[i:i + 256]) for i in range(0, len(hashes) // 256 * 256, 256)]
            level += 1
        self.roots[size] = root
        self.write("checkpoint", self.note(size, root))
        if keep:
            self.write(f"checkpoints/{size}", self.note(size, root))
        return root

    def write(self, name, data):
        put(f"{self.dir}/{name}", data)

    def read(self, name):
        with open(f"{self.dir}/{name}", "rb") as file:
            return file.read()

    @staticmethod
    def record(entry, index, durable):
        data = b"VREC" + struct.pack(">IQQ", len(entry), index, durable) + leaf_hash(entry) + entry
        return data + bytes(-len(data) % 8)

    def segment(self, start, batches, size=1 << 16):
        """wal/<start>: records from entry `start` on, in batches of so many; gives where each record begins."""
        data, index, places = b"", start, []
        for batch in batches:
            first = index
            for _ in range(batch):
                places.append(len(data))
                data += self.record(self.entries[index], index, first)
                index += 1
        self.write(f"wal/{start:020d}", data + bytes(max(0, size - len(data))))
        return places

    def proof(self, index, size=None):
        size = len(self.entries) if size is None else size
        leaves = self.leaves[:size]
        lines = ["c2sp.org/tlog-proof@v1", "extra " + b64(self.entries[index]), f"index {index}"]
        lines += [b64(h) for h in tree_path(index, leaves)]
        return "\n".join(lines).encode() + b"\n\n" + self.note(size, tree_hash(leaves))

    def identity_file(self, path):
        put(path, f"# a comment, as the age tool writes one\n{age_identity(self.identity)}\n".encode())
        return path
