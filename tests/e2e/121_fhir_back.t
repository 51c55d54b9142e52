#!/usr/bin/env python3
"""What came as FHIR comes back: of Synthea's bundles each resource of a patient is given once, as it was sent, under its own id; by
everything of its patient, by searches, by its id."""
import collections
import glob
import http.client
import json
import os

from veilleuse_site import DATA, FAST, Node, done, note, ok, run, same, skip_all

MADE_OF_MANY = {"Patient", "AllergyIntolerance"}  # of these searches give what all senders say together
NOBODYS = {"Organization", "Practitioner", "Location"}

files = sorted(glob.glob(os.path.join(DATA, "fhir-r4/synthea/*.json")), key=os.path.getsize)[:2 if FAST else 5]
if not files:
    skip_all("the shared FHIR bundles are not here")
node = Node()


def ask(path):
    path = path[path.index("/fhir") + 5:] if path.startswith("http") else path
    connection = http.client.HTTPConnection(node.web_option, timeout=60)
    connection.request("GET", "/fhir" + path)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body


def matches(path):
    while path:
        status, bundle = ask(path)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {bundle}")
        for entry in bundle.get("entry", []):
            if entry["search"]["mode"] == "match":
                yield entry["resource"]
        path = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)


def as_sent(resource):
    """Without what was added."""
    meta = {key: value for key, value in resource.get("meta", {}).items() if key not in ("source", "lastUpdated")}
    return {**{key: value for key, value in resource.items() if key != "meta"}, "meta": meta}


def chart_is_whole():
    durable = ((node.state()[1] or {}).get("vault") or {}).get("durable", 0)
    code, out, _ = run("chart", node.dir, "state", "--json")
    return durable > 1 and code == 0 and json.loads(out)["applied"] >= durable


try:
    sent = {}
    for path in files:
        same(run("import", node.dir, path)[0], 0, os.path.basename(path).split("_")[0])
        with open(path, encoding="utf-8") as file:
            for entry in json.load(file)["entry"]:
                sent[entry["resource"]["resourceType"], entry["resource"]["id"]] = entry["resource"]
    kinds = collections.Counter(kind for kind, _ in sent)
    note(dict(kinds))
    node.start()
    ok(node.wait_until(chart_is_whole), "the chart has everything")

    patients = [patient["id"] for patient in matches("/Patient")]
    same(len(patients), kinds["Patient"], "as many patients as were sent")
    given = collections.Counter()
    differs = []
    for patient in patients:
        for resource in matches(f"/Patient/{patient}/$everything?_count=200"):
            key = resource["resourceType"], resource["id"]
            given[key] += 1
            if key in sent and as_sent(resource) != as_sent(sent[key]):
                differs.append(key)
    same([key for key, count in given.items() if count > 1], [], "each is given once")
    same(differs, [], "as it was sent")
    counted = collections.Counter(kind for kind, _ in given)
    same({kind: counted[kind] for kind in kinds if kind not in NOBODYS}, {kind: kinds[kind] for kind in kinds if kind not in NOBODYS},
         "of each type as many as were sent")
    same([key for key in sent if key[0] not in NOBODYS | MADE_OF_MANY and key not in given], [], "under its own id")

    unread = []
    for (kind, name), resource in list(sent.items())[::7]:
        status, body = ask(f"/{kind}/{name}")
        if status != 200 or as_sent(body) != as_sent(resource):
            unread.append((kind, name, status))
    same(unread, [], "and is read under it, whosever it is")

    whose = next(key[1] for key in sent if key[0] == "Patient")
    mine = {key[1] for key, r in sent.items() if key[0] == "Observation" and r["subject"]["reference"].endswith(whose)}
    same({r["id"] for r in matches(f"/Observation?patient={whose}&_count=100")}, mine, "a patient's are found by the id that their sender gave them")
    same({r["id"] for r in matches(f"/Procedure?patient=Patient/{whose}")},
         {key[1] for key, r in sent.items() if key[0] == "Procedure" and r["subject"]["reference"].endswith(whose)}, "of other types too")
    same(node.stop(), 0, "the node ends well")
finally:
    node.close()
done()
