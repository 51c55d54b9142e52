#!/usr/bin/env python3
"""Proofs of single entries: each of a vault is proven and holds without it; nothing that was changed holds.

The path from the entry to the root is computed here once more, from the text of the standard (C2SP tlog-proof, RFC 6962), so
that the program does not only agree with itself."""
import base64
import hashlib
import json
import os
import shutil
import subprocess

from veilleuse_site import FAST, PROGRAM, Node, Sender, ack_code, adt, done, note, ok, run, same

node = Node()
work = node.base
vault = os.path.join(node.dir, "vault")
verifier = os.path.join(vault, "verifier")


def prove(index, site=None):
    code, out, err = run("prove", site or node.dir, index)
    return out if code == 0 else f"exit {code}: {err}"


def verify(proof, *options):
    """The exit code, and what it said."""
    path = os.path.join(work, "one.tlog-proof")
    with open(path, "wb") as file:
        file.write(proof)
    code, out, err = run("verify", path, *options)
    return code, out.decode() + err


def split(proof):
    """(entry, index, hashes, size, root), read plainly."""
    head, checkpoint = proof.split(b"\n\n", 1)
    lines = head.split(b"\n")
    assert lines[0] == b"c2sp.org/tlog-proof@v1" and lines[1].startswith(b"extra ") and lines[2].startswith(b"index ")
    origin, size, root = checkpoint.split(b"\n")[:3]
    return (base64.b64decode(lines[1][6:]), int(lines[2][6:]), [base64.b64decode(line) for line in lines[3:]],
            int(size), base64.b64decode(root))


def root_from(entry, index, hashes, size):
    """RFC 6962 2.1.1 backwards: the last hash is the other side of the topmost split."""
    def walk(m, n, path):
        if n == 1:
            assert not path
            return hashlib.sha256(b"\0" + entry).digest()
        k = 1 << ((n - 1).bit_length() - 1)
        if m < k:
            left, right = walk(m, k, path[:-1]), path[-1]
        else:
            left, right = path[-1], walk(m - k, n - k, path[:-1])
        return hashlib.sha256(b"\1" + left + right).digest()
    return walk(index, size, hashes)


def entries():
    """Every published entry as stored, from the widest bundle of each number."""
    found = {}
    for directory, _, files in os.walk(os.path.join(vault, "tile/entries")):
        for file in files:
            path = os.path.join(directory, file)
            number = os.path.relpath(path, os.path.join(vault, "tile/entries")).split(".p/")[0]
            if os.path.getsize(path) > os.path.getsize(found.get(number, os.devnull)):
                found[number] = path
    for number in sorted(found, key=lambda name: int(name.replace("x", "").replace("/", ""))):
        with open(found[number], "rb") as file:
            data = file.read()
        while data:
            size = int.from_bytes(data[:2], "big")
            yield data[2:2 + size]
            data = data[2 + size:]


def try_each(indexes, name):
    """Proof, its path by hand, its entry, its verdict: for each index."""
    stored = list(entries())
    wrong = []
    for index in indexes:
        proof = prove(index)
        if isinstance(proof, str):
            wrong.append((index, proof))
            continue
        entry, got_index, hashes, size, root = split(proof)
        code, said = verify(proof, "--key-file", verifier)
        if (got_index, size, entry) != (index, len(stored), stored[index]) or root_from(entry, index, hashes, size) != root \
                or code or f"entry {index} of " not in said or hashlib.sha256(b"\0" + entry).hexdigest() not in said:
            wrong.append((index, code, said))
    ok(not wrong, name, wrong[:3])
    return len(stored)


try:
    # ---- a small site, every entry ----
    messages = os.path.join(work, "small.hl7")
    run("simulate", "--beds", 5, "--hours", 1, "--out", messages)
    same(run("import", node.dir, messages)[0], 0, "import")
    count = try_each(range(0, len(list(entries())), 4 if FAST else 1), "every entry of a small vault is proven")
    note(f"{count} entries")
    small_proof = min((prove(index) for index in range(count)), key=len)
    entry, index, hashes, size, root = split(small_proof)

    # ---- the key is never taken from nowhere ----
    lonely = os.path.join(work, "lonely")
    os.mkdir(lonely)
    path = os.path.join(lonely, "p.tlog-proof")
    code, _, err = run("prove", node.dir, index, "--out", path)
    ok(code == 0 and open(path, "rb").read() == small_proof, "--out writes the same proof", err)
    code, out, err = run("verify", path)
    ok(code == 64 and "--key" in err and not out, "without a key: 64, and a key is asked for", code, out, err)
    with open(verifier, encoding="utf-8") as file:
        key = file.read().strip().splitlines()[-1]
    code, out, err = run("verify", path, "--key", key)
    ok(code == 0 and b"beside" not in out, "with the key itself", out, err)
    code, out, err = run("verify", path, "--key", key, "--json")
    report = json.loads(out)
    same((code, report["holds"], report["entry"], report["size"], report["leaf"], report["origin"]),
         (0, True, index, size, hashlib.sha256(b"\0" + entry).hexdigest(), key.split("+")[0]), "--json says the same")
    shutil.copy(verifier, lonely)
    code, out, err = run("verify", path)
    ok(code == 0 and b"only accidents" in out, "with the key beside it, which is said", out, err)
    code, out, err = run("verify", path, "--json")
    ok(code == 0 and json.loads(out)["key_beside"], "in JSON too", out, err)
    same(run("verify", path, "--key", key, "--key-file", verifier)[0], 64, "two keys")
    same(run("verify", path, "--quick", "--key", key)[0], 64, "--quick is for vaults")
    same(run("verify", path, "--key-file", lonely + "/none")[0], 66, "a key file that is not there")
    same(run("prove", node.dir, index, "--out", path)[0], 69, "no proof is written over")
    code, out, err = run("verify", messages, "--key", key)
    ok(code == 65 and "neither" in err, "a file that is no proof", code, err)

    # ---- what was changed ----
    held = []
    step = 11 if FAST else 1
    for at in range(0, len(small_proof), step):
        changed = bytearray(small_proof)
        changed[at] ^= 1 << at % 8
        code, said = verify(changed, "--key", key)
        if code != 65:
            held.append((at, code, said))
    ok(not held, f"each of {len(small_proof) // step} bytes flipped: 65", held[:5])
    lines = small_proof.split(b"\n")
    other = split(prove((index + 1) % count))[0]
    code, said = verify(b"\n".join([lines[0], b"extra " + base64.b64encode(other)] + lines[2:]), "--key", key)
    ok(code == 65 and "DOES NOT HOLD" in said, "another entry's sealed bytes", code, said)
    code, said = verify(b"\n".join([lines[0]] + lines[2:]), "--key", key)
    ok(code == 65 and "carry" in said, "the entry left out", code, said)
    code, said = verify(b"\n".join(lines[:2] + [b"index %d" % ((index + 1) % count)] + lines[3:]), "--key", key)
    ok(code == 65, "another index", code, said)
    stranger = Node()
    try:
        with open(stranger.dir + "/vault/verifier", encoding="utf-8") as file:
            wrong_key = file.read().strip()
        code, said = verify(small_proof, "--key", wrong_key)
        ok(code == 65 and "DOES NOT HOLD" in said, "the key of another log of the same name", code, said)
        code, said = verify(small_proof, "--key", wrong_key.replace("test/", "rest/"))
        ok(code == 65, "a key that does not fit its name", code, said)
    finally:
        stranger.close()
    code, out, _ = run("verify", path, "--key", wrong_key, "--json")
    ok(code == 65 and json.loads(out)["holds"] is False and json.loads(out)["what"], "--json when it does not hold", out)
    bundle = max((os.path.join(d, f) for d, _, fs in os.walk(vault + "/tile/0") for f in fs), key=os.path.getsize)
    copy = os.path.join(work, "copy")
    shutil.copytree(vault, copy, ignore=shutil.ignore_patterns("wal"))
    ok(not isinstance(prove(index, copy), str), "a bare copy of the vault proves too")
    with open(bundle.replace(vault, copy), "r+b") as file:
        file.seek(32 * (index ^ 1))
        byte = file.read(1)
        file.seek(32 * (index ^ 1))
        file.write(bytes([byte[0] ^ 1]))
    code, out, err = run("prove", copy, index)
    ok(code == 65 and not out, "a damaged vault proves nothing", code, out, err)

    # ---- growth: durable, published, and the old proof ----
    node.start()
    same(ack_code(Sender(node.mllp_port).ask(adt("P1", 77))), ("AA", b"P1"), "one more message")
    node.kill_all()
    newest = json.loads(run("verify", node.dir, "--json")[1])["durable"] - 1
    code, out, err = run("prove", node.dir, newest)
    ok((code, bool(out)) in ((75, False), (0, True)) and (code == 0 or "not published yet" in err), "durable is not yet proven", code, err)
    note("it was published already" if code == 0 else "75, as it should be")
    code, out, err = run("prove", node.dir, newest + 1)
    ok(code == 66 and "no such entry" in err, "an entry that is not there", code, err)
    messages = os.path.join(work, "large.hl7")
    run("simulate", "--beds", 60, "--hours", 6, "--seed", 2, "--out", messages)
    same(run("import", node.dir, messages)[0], 0, "a larger import")
    same(verify(small_proof, "--key", key)[0], 0, "the proof of before still holds: it carries its own checkpoint")
    ok(not isinstance(prove(newest), str), "what was only durable is proven now")
    count = len(list(entries()))
    try_each(sorted({*range(0, count, count // 60), 255, 256, count - 2, count - 1}), f"entries of {count}")

    # ---- while a node runs and publishes ----
    more = os.path.join(work, "more.hl7")
    run("simulate", "--beds", 60, "--hours", 6, "--seed", 3, "--out", more)
    node.start()
    sending = subprocess.Popen([PROGRAM, "send", node.mllp, more, "--connections", "4", "--rate", "1500"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sizes, wrong, index = [count], [], 0
    while sending.poll() is None:
        proof = prove(index)
        code, said = (1, proof) if isinstance(proof, str) else verify(proof, "--key-file", verifier)
        if code:
            wrong.append((index, said))
        else:
            sizes.append(split(proof)[3])
        index = (sizes[-1] - 1, sizes[-1] // 2, 0)[len(sizes) % 3]
    ok(not wrong and sending.returncode == 0, f"{len(sizes) - 1} proofs while it grew", wrong[:3])
    ok(len(set(sizes)) > 2 and sizes == sorted(sizes), "under newer and newer checkpoints", sizes)
    node.stop()

    for arguments in (("x",), ("-1",), ("",), ("1", "2"), ()):
        same(run("prove", node.dir, *arguments)[0], 64, f"prove {arguments}")
    same(run("prove", os.path.join(work, "none"), 0)[0], 66, "prove of nothing")
finally:
    node.close()
done()
