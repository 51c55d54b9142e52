#!/usr/bin/env python3
"""A vault of every version of the format, kept for ever: this program reads it, verifies it, recovers it and goes on with it."""
import glob
import hashlib
import json
import os
import shutil
import subprocess
import tarfile

from veilleuse_site import ROOT, Node, Sender, ack_code, adt, done, note, ok, run, same

SECOND = os.path.join(ROOT, "build/verify/veilleuse-verify")
samples = sorted(glob.glob(os.path.join(ROOT, "tests/samples/*.json")))
ok(len(samples) >= 1, "there is a sample of format 1")
for path in samples:
    name = os.path.basename(path)[:-5]
    with open(path, encoding="utf-8") as file:
        facts = json.load(file)
    node = Node()
    try:
        shutil.rmtree(node.dir)
        with tarfile.open(path[:-5] + ".tar.gz") as archive:
            archive.extractall(node.base)
        # Not in an archive of git: the empty directories of a node that does not run.
        for part in ("run", "chart", "cache"):
            os.makedirs(os.path.join(node.dir, part), exist_ok=True)
        code, out, err = run("verify", node.dir, "--json")
        report = json.loads(out)
        same([code] + [report[key] for key in ("published", "root", "blobs", "erased_keys")],
             [0] + [facts[key] for key in ("published", "root", "blobs", "erased_keys")], f"{name}: verifies, to the same root")
        code, out, err = run("cat", node.dir, "--raw")
        same((code, hashlib.sha256(out).hexdigest()), (0, facts["raw_sha256"]), f"{name}: every body as it was")
        kinds = {}
        for entry in node.entries():
            kinds[entry["kind"]] = kinds.get(entry["kind"], 0) + 1
        same(kinds, facts["kinds"], f"{name}: entries of each kind")
        code, out, err = run("verify", node.dir + "/proof", "--key-file", node.dir + "/vault/verifier")
        same(code, 0, f"{name}: a proof holds")
        if os.path.exists(SECOND):
            second = subprocess.run([SECOND, node.dir], capture_output=True, check=False)
            ok(second.returncode == 0, f"{name}: the second reader agrees", second.stdout, second.stderr)
        else:
            note("SKIPPED LOUDLY: the second reader is not built")
        again = node.base + "/again"
        code, out, err = run("key", "recover", node.dir, again, input="\n".join(facts["shares"][:2]).encode())
        same(code, 0, f"{name}: its shares recover it")
        same(hashlib.sha256(run("cat", again, "--raw")[1]).hexdigest(), facts["raw_sha256"], f"{name}: every body again")
        same(run("rebuild", node.dir)[0], 0, f"{name}: a chart can be made of it")
        code, out, err = run("chart", node.dir, "census", "--json")
        ok(code == 0 and len(json.loads(out)) > 0, f"{name}: with patients in it", err)
        node.start()
        sender = Sender(node.mllp_port)
        same(ack_code(sender.ask(adt("N1", 4711))), ("AA", b"N1"), f"{name}: a node goes on with it")
        sender.close()
        same(node.stop(), 0, f"{name}: stop")
        same(run("verify", node.dir)[0], 0, f"{name}: and verifies")
    finally:
        node.close()
done()
