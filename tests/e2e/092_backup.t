#!/usr/bin/env python3
"""A backup of keys and configuration: made, and put back by shares of the recovery key or by an identity, after everything but the
vault is lost."""
import json
import os
import re
import shutil
import stat
import subprocess

from veilleuse_site import Node, Sender, ack_code, adt, done, note, ok, run, same

MODES = {"keys": 0o700, "run": 0o700, "chart": 0o700, "cache": 0o700}


def quiet(*arguments, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    return run(*arguments, start_new_session=True, **options)


def files(directory):
    found = {}
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), "rb") as file:
            found[name] = file.read()
    return found


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)
    return path


def sharesfile(path, lines):
    return write(path, "\n".join(lines).encode() + b"\n")


def origin_of(path):
    code, out, err = quiet("verify", path, "--json")
    return json.loads(out)["origin"] if code == 0 else err


def modes_are_right(site):
    found = {name: stat.S_IMODE(os.stat(f"{site}/{name}").st_mode) for name in MODES}
    keys = {stat.S_IMODE(os.stat(f"{site}/keys/{name}").st_mode) for name in os.listdir(site + "/keys")}
    return ok(found == MODES and keys == {0o600}, "directories 0700, key files 0600", found, keys)


node = Node()
base = node.base
identity = base + "/identity"
stranger = base + "/stranger"
try:
    shutil.rmtree(node.dir)
    code, out, err = run("init", node.dir, "--site", "backup", "--name", "Essai de sauvegarde", "--shares", "2/3")
    shares = [words.decode() for words in re.findall(rb"share \d of 3:\n([a-z ]+)\n", out)]
    node.start()
    sender = Sender(node.mllp_port)
    for number in range(40):
        sender.ask(adt(f"A{number}", 4000 + number))
    sender.ask(adt("BIG", 4500) + b"NTE|1||" + os.urandom(40000).hex().encode() + b"\r")

    # Made while the node runs, for the recovery key and for somebody else.
    live = base + "/live.age"
    code, out, err = quiet("key", "backup", node.dir, live)
    ok(code == 0 and b"sealed to age1" in out, "a backup while the node runs", out, err)
    same(stat.S_IMODE(os.stat(live).st_mode), 0o600, "for its owner alone")
    with open(live, "rb") as file:
        ok(file.read().startswith(b"age-encryption.org/v1\n"), "an age file")
    same(quiet("key", "backup", node.dir, live)[0], 69, "no backup is written over")
    same(quiet("key", "backup", node.dir, base + "/x", "--to", "age1nobody")[0], 65, "nor sealed to nobody")
    same(quiet("key", "backup", base + "/none", base + "/x")[0], 66, "nor made of nothing")
    sender.close()
    same(node.stop(), 0, "stop")
    wanted = files(node.dir + "/keys")
    config = open(node.dir + "/veilleuse.conf", "rb").read()
    raw = quiet("cat", node.dir, "--raw")[1]
    origin = origin_of(node.dir)
    last = base + "/last.age"
    same(quiet("key", "backup", node.dir, last)[0], 0, "and one when it has stopped")
    code, out, err = quiet("key", "backup", node.dir, "-")
    ok(code == 0 and out.startswith(b"age-encryption.org/v1\n") and "sealed to" in err, "or to standard output", err)

    # The age tool reads it: in twenty years, without this program.
    if shutil.which("age") and shutil.which("age-keygen"):
        subprocess.run(["age-keygen", "-o", identity], check=True, capture_output=True)
        subprocess.run(["age-keygen", "-o", stranger], check=True, capture_output=True)
        recipient = re.search(r"age1\w+", open(identity, encoding="ascii").read())[0]
        own = base + "/own.age"
        same(quiet("key", "backup", node.dir, own, "--to", recipient)[0], 0, "sealed to a key of the age tool's")
        opened = subprocess.run(["age", "-d", "-i", identity, own], capture_output=True, check=False)
        backup = json.loads(opened.stdout)
        same({name.split("/")[-1]: text.encode() for name, text in backup["files"].items()}, {**wanted, "veilleuse.conf": config}, "which opens it")
        ok(backup["format"] == "veilleuse-backup/1" and backup["log"].startswith("backup/veilleuse/node1/1+"), "it says whose keys they are", backup["log"])
    else:
        note("SKIPPED LOUDLY: no age tool here")
        own = None

    # Everything but the vault is lost.
    def lose():
        for name in ("keys", "run", "chart", "cache", "keys.new"):
            shutil.rmtree(f"{node.dir}/{name}", ignore_errors=True)
        for name in ("veilleuse.conf", "lock"):
            if os.path.exists(f"{node.dir}/{name}"):
                os.remove(f"{node.dir}/{name}")

    two = sharesfile(base + "/two", shares[:2])
    same(quiet("key", "restore", last, node.dir, "--shares-file", two)[0], 69, "keys that are there are not written over")
    lose()
    ok(quiet("serve", node.dir)[0] == 66 and quiet("cat", node.dir)[0] == 66, "without keys and configuration there is no site")
    for name, lines in [("one share", shares[:1]), ("the same one twice", [shares[0], shares[0]]), ("a mistyped one", [shares[0], shares[1][:-1] + "q"]), ("none", ["#"])]:
        code, out, err = quiet("key", "restore", last, node.dir, "--shares-file", sharesfile(base + "/few", lines))
        ok(code == 65 and not os.path.exists(node.dir + "/keys"), name + " gives nothing", code, err)
    other = base + "/other"
    foreign = [words.decode() for words in re.findall(rb"share \d of 3:\n([a-z ]+)\n", run("init", other, "--site", "other", "--shares", "2/3")[1])]
    code, out, err = quiet("key", "restore", last, node.dir, "--shares-file", sharesfile(base + "/foreign", foreign))
    ok(code == 65 and not os.path.exists(node.dir + "/keys"), "nor do another site's shares", code, err)
    if own:
        code, out, err = quiet("key", "restore", own, node.dir, "--identity", stranger)
        ok(code == 65 and "does not open" in err and not os.path.exists(node.dir + "/keys"), "nor another identity", code, err)
        same(quiet("key", "restore", own, node.dir, "--identity", two)[0], 65, "nor a file that holds none")
    with open(last, "rb") as file:
        content = file.read()
    damaged = 0
    places = list(range(0, len(content), 97)) + [len(content) - 1]
    for at in places:
        changed = bytes([content[at] ^ 4])
        code, out, err = quiet("key", "restore", write(base + "/damaged", content[:at] + changed + content[at + 1:]), node.dir, "--shares-file", two)
        damaged += code == 65 and not os.path.exists(node.dir + "/keys")
    same(damaged, len(places), "changed anywhere, it is refused whole")
    for size in (0, 100, len(content) // 2, len(content) - 1):
        code, out, err = quiet("key", "restore", write(base + "/damaged", content[:size]), node.dir, "--shares-file", two)
        ok(code == 65 and not os.path.exists(node.dir + "/keys"), f"cut to {size} bytes it is refused", code, err)
    ok(not any(os.path.exists(f"{node.dir}/{name}") for name in ("veilleuse.conf", "run", "keys.new")), "and nothing is left of it")
    quiet("key", "backup", other, base + "/others.age")
    code, out, err = quiet("key", "restore", base + "/others.age", node.dir, "--shares-file", base + "/foreign")
    ok(code == 65 and "another vault" in err and not os.path.exists(node.dir + "/keys"), "keys of another vault are not put beside this one", code, err)

    # And comes back. The disk is the one that was signed last: this machine remembers that.
    code, out, err = quiet("key", "restore", last, node.dir, "--shares-file", two)
    ok(code == 0, "two of three shares bring it back", out, err)
    same(files(node.dir + "/keys"), wanted, "every key file, byte for byte")
    same(open(node.dir + "/veilleuse.conf", "rb").read(), config, "and the configuration")
    modes_are_right(node.dir)
    same(quiet("cat", node.dir, "--raw")[1], raw, "every entry can be read")
    same(quiet("verify", node.dir)[0], 0, "the vault is whole")
    node.start()
    sender = Sender(node.mllp_port)
    same(ack_code(sender.ask(adt("B1", 4700))), ("AA", b"B1"), "the node goes on")
    same(node.stop(), 0, "stop")
    same(origin_of(node.dir), origin, "under the same origin, because it is the disk that was signed last")

    # A backup older than what was signed, shares typed, a configuration that was changed meanwhile.
    lose()
    write(node.dir + "/veilleuse.conf", config.replace(b"late_s = 300", b"late_s = 301"))
    code, out, err = quiet("key", "restore", live, node.dir, stdin=None, input="\n".join(shares[1:]).encode())
    ok(code == 0 and b"has stayed" in out, "an older backup, shares on standard input", out, err)
    ok(b"late_s = 301" in open(node.dir + "/veilleuse.conf", "rb").read(), "a configuration that is there stays")
    node.start()
    sender = Sender(node.mllp_port)
    same(ack_code(sender.ask(adt("B2", 4701))), ("AA", b"B2"), "the node goes on")
    sender.close()
    same(node.stop(), 0, "stop")
    ok(origin_of(node.dir) != origin and origin_of(node.dir).startswith("backup/veilleuse/node1/2-"), "under its origin's next epoch", origin_of(node.dir))
    ok(b"".join(node.messages()).count(b"|B1|") == 1, "nothing of what came in between is missing")

    # A restore that was interrupted.
    lose()
    os.mkdir(node.dir + "/keys.new")
    write(node.dir + "/keys.new/left", b"from before")
    same(quiet("key", "restore", last, node.dir, "--shares-file", two)[0], 0, "one that was interrupted is made again")
    same(sorted(os.listdir(node.dir + "/keys")), sorted(wanted), "with nothing of before")
    if own:
        lose()
        same(quiet("key", "restore", own, node.dir, "--identity", identity)[0], 0, "by the identity it was sealed to")
        same(files(node.dir + "/keys"), wanted, "the same")
    lose()
    os.makedirs(node.dir + "/keys")
    write(node.dir + "/keys/recipients", b"")
    same(quiet("key", "restore", last, node.dir, "--shares-file", two)[0], 69, "whatever lies among keys is not written over")
    same(os.listdir(node.dir + "/keys"), ["recipients"], "and stays")

    # Another machine: an empty directory first, then a copy of the vault as it was pulled.
    copy = base + "/copy"
    spare = base + "/spare"
    shutil.copytree(node.dir + "/vault", copy, ignore=shutil.ignore_patterns("wal"))
    code, out, err = quiet("key", "restore", last, spare, "--shares-file", two)
    ok(code == 0 and b"copy of the vault" in out, "into a directory that there was not", out, err)
    modes_are_right(spare)
    shutil.copytree(copy, spare + "/vault")
    ok(quiet("cat", spare, "--raw")[1].startswith(raw), "a copy of the vault beside it is read")
    shutil.rmtree(spare)
    os.mkdir(spare)
    shutil.copytree(copy, spare + "/vault")
    same(quiet("key", "restore", last, spare, "--shares-file", two)[0], 0, "or beside a copy that lies there")
    shutil.rmtree(node.dir)
    os.rename(spare, node.dir)
    node.start()
    sender = Sender(node.mllp_port)
    same(ack_code(sender.ask(adt("C1", 4800))), ("AA", b"C1"), "the node goes on there")
    sender.close()
    same(node.stop(), 0, "stop")
    ok(quiet("verify", node.dir)[0] == 0 and b"".join(node.messages()).count(b"|C1|") == 1, "and its vault is whole")

    # A new recovery key: the backup of before opens with the shares of before, also beside the vault.
    code, out, err = quiet("key", "new-recovery", node.dir, "--shares", "2/3")
    fresh = [words.decode() for words in re.findall(rb"share \d of 3:\n([a-z ]+)\n", out)]
    lose()
    same(quiet("key", "restore", last, node.dir, "--shares-file", sharesfile(base + "/fresh", fresh[:2]))[0], 65, "a new recovery key does not open an old backup")
    same(quiet("key", "restore", last, node.dir, "--shares-file", two)[0], 0, "the old one does")

    # Keys under a passphrase stay under it.
    passphrase = write(base + "/passphrase", b"une autre lampe\n")
    same(quiet("key", "passphrase", node.dir, "--new-passphrase-file", passphrase)[0], 0, "keys under a passphrase")
    locked = files(node.dir + "/keys")
    code, out, err = quiet("key", "backup", node.dir, base + "/locked.age")
    ok(code == 0, "are backed up without it", out, err)
    lose()
    same(quiet("key", "restore", base + "/locked.age", node.dir, "--shares-file", base + "/fresh")[0], 0, "and put back")
    same(files(node.dir + "/keys"), locked, "as they were")
    same(quiet("cat", node.dir)[0], 77, "under the passphrase")
    ok(quiet("cat", node.dir, "--raw", "--passphrase-file", passphrase)[1].startswith(raw), "with which they open")
finally:
    node.close()
done()
