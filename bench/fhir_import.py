#!/usr/bin/env python3
"""fhir_import - FHIR into a vault and a chart: Synthea's bundles, then one of their resources a line (NDJSON), and over the wire.

goal: none was set; a hospital's bulk export of ten million resources within the hour is 2,800/s
"""
import glob
import http.client
import json
import os
import resource
import socket
import threading
import time

from benchlib import Node, header, line, run

header("fhir_import")
DATA = os.environ.get("VEILLEUSE_DATA", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../shared/data"))
files = sorted(glob.glob(os.path.join(DATA, "fhir-r4/synthea/*.json")))
if not files:
    raise SystemExit("Synthea's bundles are not there (VEILLEUSE_DATA)")
resources = []
for path in files:
    with open(path, encoding="utf-8") as file:
        resources += [e["resource"] for e in json.load(file)["entry"]]


def measure(name, count, *paths):
    node = Node()
    try:
        started = time.monotonic()
        code, out, err = run("import", node.dir, *paths, timeout=3600)
        took = time.monotonic() - started
        if code:
            raise SystemExit("import: " + err)
        line(name + "_import", count / took, "resources/s")
        line(name + "_import_memory", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, "MiB")
        started = time.monotonic()
        code, out, err = run("chart", node.dir, "state", timeout=3600)
        line(name + "_chart", count / (time.monotonic() - started), "resources/s")
    finally:
        node.close()


copies = int(os.environ.get("COPIES", "20"))  # of every resource, under an id of its own: 160,000 resources, 26 x 20 patients
node = Node()
try:
    path = os.path.join(node.base, "export.ndjson")
    with open(path, "w", encoding="utf-8") as file:
        for n in range(copies):
            for r in resources:
                text = json.dumps(r, separators=(",", ":"))
                for mark in ("urn:uuid:", '"id":"'):
                    text = text.replace(mark, mark + f"{n:02d}")
                file.write(text + "\n")
    print(f"# {os.path.getsize(path) >> 20} MiB of NDJSON")
    measure("ndjson", len(resources) * copies, path)
    measure("bundles", len(resources), *files)
finally:
    node.close()

node = Node().start()
try:
    host, port = node.web[len("http://"):].rstrip("/").rsplit(":", 1)
    observations = [r for r in resources if r["resourceType"] == "Observation"][:2000]
    taken = []

    def pour(part):
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and body are sent in two writes
        for r in part:
            began = time.monotonic()
            connection.request("PUT", "/fhir/Observation/" + r["id"], json.dumps(r).encode(), {"Content-Type": "application/fhir+json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status not in (200, 201):
                raise SystemExit(f"PUT: {answer.status}")
            taken.append((time.monotonic() - began) * 1e3)
        connection.close()

    workers = [threading.Thread(target=pour, args=(observations[w::8],)) for w in range(8)]
    started = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    line("wire_put", len(taken) / (time.monotonic() - started), "resources/s")
    line("wire_put_answer", sorted(taken)[len(taken) * 99 // 100], "ms p99")
finally:
    node.close()
