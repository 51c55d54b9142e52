#!/usr/bin/env python3
"""Keys: shares given out, epochs begun and erased, recipients, and the way back from a copy when the node is lost."""
import itertools
import json
import os
import re
import shutil
import subprocess

from veilleuse_site import Node, Sender, ack_code, adt, done, note, ok, run, same

TWO_BLANKS = re.compile(rb"share (\d+) of 5:\n([a-z ]+)\n")


def shares_of(out):
    return {int(number): words.decode() for number, words in TWO_BLANKS.findall(out)}


def recover(copy, to, lines):
    shutil.rmtree(to, ignore_errors=True)
    return run("key", "recover", copy, to, input="\n".join(lines).encode())


def tree(path):
    """Every file below a directory, with its bytes."""
    found = {}
    for at, _, names in os.walk(path):
        for name in names:
            with open(os.path.join(at, name), "rb") as file:
                found[os.path.relpath(os.path.join(at, name), path)] = file.read()
    return found


node = Node()
spare = os.path.join(node.base, "again")
copy = os.path.join(node.base, "copy")
try:
    # A site of our own, whose shares we see.
    shutil.rmtree(node.dir)
    code, out, err = run("init", node.dir, "--site", "test", "--name", "Essai")
    shares = shares_of(out)
    ok(code == 0 and sorted(shares) == [1, 2, 3, 4, 5], "init gives out five shares", out, err)
    ok(all(len(words.split()) == 33 for words in shares.values()), "of 33 words each")
    kept = b"".join(tree(node.dir).values())
    ok(not any(" ".join(words.split()[4:12]).encode() in kept for words in shares.values()), "and keeps none of them")
    same(run("init", node.base + "/x", "--site", "t", "--shares", "1/3")[0], 64, "shares that anyone alone could use are refused")
    same(run("init", node.base + "/x", "--site", "t", "--shares", "4/3")[0], 64, "more shares needed than there are")

    # Entries of three epochs, a large document among them, through a living node.
    node.start()
    sender = Sender(node.mllp_port)
    big = adt("D1", 4800) + b"NTE|1||" + os.urandom(60000).hex().encode() + b"\r"
    for number in range(40):
        sender.ask(adt(f"A{number}", 4000 + number))
    sender.ask(big)
    code, out, _ = run("key", "rotate", node.dir)
    same((code, out), (0, b"epoch 2 begins\n"), "a new epoch on demand, while the node runs")
    for number in range(40):
        sender.ask(adt(f"B{number}", 4100 + number))
    same(run("key", "rotate", node.dir)[1], b"epoch 3 begins\n", "and another")
    for number in range(40):
        sender.ask(adt(f"C{number}", 4200 + number))
    listed = json.loads(run("key", "list", node.dir, "--json")[1])
    same([(epoch["epoch"], epoch["can_open"]) for epoch in listed["epochs"]], [(1, True), (2, True), (3, True)], "key list")
    same([r["label"] for r in listed["recipients"]], ["node", "recovery"], "who may read")
    same(listed["recovery"], {"threshold": 3, "shares": 5}, "and how it is recovered")
    ok(b"epoch 3" in run("key", "list", node.dir)[1], "for people too")
    named = [e for e in node.entries() if e["kind"] == "key"]
    same([e["source"] for e in named], ["vault/keys/1", "vault/keys/2", "vault/keys/3"], "the log names each key file")
    digest = node.digest()
    ok(node.digest() == digest and node.wait_until(lambda: node.state()[1]["chart"]["applied"] > 120), "the chart goes on across epochs")
    code, out, err = run("key", "export", node.dir, "1")
    ok(code == 0 and b"AGE-SECRET-KEY-1" in out, "the identity of an epoch's documents", err)
    if shutil.which("age"):
        with open(node.base + "/id", "wb") as file:
            file.write(out)
        blob = [os.path.join(at, name) for at, _, names in os.walk(node.dir + "/vault/blob") for name in names]
        opened = subprocess.run(["age", "-d", "-i", node.base + "/id", *blob], capture_output=True, check=False)
        same(opened.stdout, big, "the age tool opens a document with it")
    else:
        note("SKIPPED LOUDLY: no age tool here")
    sender.close()
    same(node.stop(), 0, "stop")

    # The node is lost; a copy is left, as another machine would have pulled it.
    wanted = run("cat", node.dir, "--raw")[1]
    shutil.copytree(node.dir + "/vault", copy, ignore=shutil.ignore_patterns("wal"))
    before = tree(copy)
    count = 0
    for chosen in itertools.combinations(sorted(shares), 3):
        code, out, err = recover(copy, spare, [shares[i] for i in chosen])
        if code == 0 and run("cat", spare, "--raw")[1] == wanted:
            count += 1
        else:
            note(f"{chosen}: {code} {err}")
    same(count, 10, "any three shares and the copy give every entry back, byte for byte")
    same(tree(copy), before, "the copy stays as it was")
    for chosen in [(1,), (1, 2), (4, 5)]:
        code, out, err = recover(copy, spare, [shares[i] for i in chosen])
        ok(code == 65 and "needed" in err and not os.path.exists(spare), f"{len(chosen)} shares give nothing", code, err)
    code, out, err = recover(copy, spare, [shares[1], shares[1], shares[1]])
    ok(code == 65 and not os.path.exists(spare), "one share three times gives nothing", code, err)
    words = shares[2].split()
    typed = words[:7] + [words[7] + "x"] + words[8:]
    code, out, err = recover(copy, spare, [shares[1], " ".join(typed), shares[3]])
    ok(code == 65 and "line 2" in err and "word 8" in err, "a mistyped word is named, with its share", code, err)
    typed = words[:7] + ["acid" if words[7] != "acid" else "aide"] + words[8:]
    code, out, err = recover(copy, spare, [shares[1], " ".join(typed), shares[3]])
    ok(code == 65 and "line 2" in err, "so is another word of the list", code, err)
    other = shares_of(run("init", node.base + "/other", "--site", "other")[1])
    code, out, err = recover(copy, spare, [shares[1], shares[2], other[3]])
    ok(code == 65 and "line 3" in err and "no share of this vault" in err, "and a share of another vault", code, err)
    code, out, err = recover(copy, spare, [shares[1].upper(), "# a comment", "", "3. " + shares[3], " ".join(w[:4] for w in shares[4].split()), other[1]])
    ok(code == 0, "shares as people type them; a wrong one more is named and left out", code, err)
    with open(copy + "/tile/entries/000", "rb") if os.path.exists(copy + "/tile/entries/000") else open(max((os.path.join(a, n) for a, _, f in os.walk(copy + "/tile/entries") for n in f), key=os.path.getsize), "rb") as file:
        path, content = file.name, file.read()
    with open(path, "wb") as file:
        file.write(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    code, out, err = recover(copy, spare, [shares[1], shares[2], shares[3]])
    ok(code == 65 and os.path.basename(path) in err, "a damaged copy is refused, and where", code, err)
    with open(path, "wb") as file:
        file.write(content)

    # What was recovered is a site: it serves, takes in, verifies.
    same(recover(copy, spare, [shares[5], shares[4], shares[3]])[0], 0, "recovered once more")
    shutil.rmtree(node.dir)
    os.rename(spare, node.dir)
    node.start()
    same(node.digest(), digest, "its chart is the chart there was")
    sender = Sender(node.mllp_port)
    same(ack_code(sender.ask(adt("D9", 4900))), ("AA", b"D9"), "it goes on taking messages")
    same(ack_code(sender.ask(big)), ("AA", b"D1"), "also large ones")
    sender.close()
    same(node.stop(), 0, "stop")
    code, out, err = run("verify", node.dir, "--json")
    ok(code == 0 and json.loads(out)["origin"] != "test/veilleuse/node1/1", "and verifies, under an origin of its own", out, err)

    # Someone who comes later, and a new recovery key.
    later = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    code, out, err = run("key", "add-recipient", node.dir, later, "--label", "second node", "--past")
    ok(code == 0 and b"earlier epochs" in out, "a recipient, of the past too", out, err)
    same(run("key", "add-recipient", node.dir, later, "--label", "again")[0], 69, "but not twice")
    same(run("key", "add-recipient", node.dir, "age1qqqq", "--label", "x")[0], 65, "a mistyped one is refused")
    same(run("key", "remove-recipient", node.dir, "second node")[0], 0, "and is taken off again")
    same(run("key", "remove-recipient", node.dir, "nobody")[0], 66, "who is not there cannot be")
    same(run("key", "remove-recipient", node.dir, "node")[0], 64, "the node itself stays")
    code, out, err = run("key", "new-recovery", node.dir, "--shares", "2/3")
    fresh = {int(n): w.decode() for n, w in re.findall(rb"share (\d+) of 3:\n([a-z ]+)\n", out)}
    ok(code == 0 and len(fresh) == 3, "a new recovery key", out, err)
    wanted = run("cat", node.dir, "--raw")[1]
    code, out, err = recover(node.dir, spare, [fresh[1], fresh[3]])
    ok(code == 0 and run("cat", spare, "--raw")[1] == wanted, "opens everything", code, err)
    code, out, err = recover(node.dir, spare, [shares[1], shares[2], shares[3]])
    ok(code == 65, "the old shares are no shares of this vault any more", code, err)
    sheets = node.base + "/sheets.pdf"
    code, out, err = run("key", "new-recovery", node.dir, "--sheets", sheets)
    with open(sheets, "rb") as file:
        ok(code == 0 and file.read(5) == b"%PDF-" and b"share" not in out.split(b"\n")[0], "or as sheets, and not on the screen", out, err)
    same(os.stat(sheets).st_mode & 0o777, 0o600, "for their owner alone")

    # Erasing.
    raw_before = run("cat", node.dir, "--raw")[1]
    newest = max(e["epoch"] for e in json.loads(run("key", "list", node.dir, "--json")[1])["epochs"])
    same(run("key", "drop-epoch", node.dir, str(newest))[0], 69, "the epoch in use cannot be erased")
    same(run("key", "drop-epoch", node.dir, "99")[0], 66, "nor one that there is not")
    code, out, err = run("key", "drop-epoch", node.dir, "2", "--why", "retention")
    same(code, 0, "an epoch is erased")
    entries = node.entries()
    erased = [e for e in entries if e.get("media_type") == "application/vnd.veilleuse.erased"]
    same(len(erased), 40, "its entries cannot be read any more")
    ok(any(e["kind"] == "note" and "epoch 2 is erased: retention" in e.get("body", "") for e in entries), "the log says so, and why")
    code, out, err = run("verify", node.dir, "--json")
    ok(code == 0 and json.loads(out)["erased_keys"] >= 1, "the vault is whole all the same, and says what is erased", out, err)
    raw_after = run("cat", node.dir, "--raw")[1]
    ok(b"|A7|" in raw_after and b"|C7|" in raw_after and raw_before.count(b"|B7|") == raw_after.count(b"|B7|") == 1, "what still counts of it is stated again")
    same(len([e for e in entries if e.get("states_again") is not None]), 40, "by entries that say so")
    same(run("rebuild", node.dir)[0], 0, "the chart can be rebuilt without it")
    node.start()
    sender = Sender(node.mllp_port)
    same(ack_code(sender.ask(adt("E1", 4950))), ("AA", b"E1"), "and the node goes on")
    sender.close()
finally:
    node.close()
done()
