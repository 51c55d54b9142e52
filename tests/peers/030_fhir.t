#!/usr/bin/env python3
"""The validator of HL7 FHIR finds no error in what is given: one of every kind and shape, and what a node gives of a simulated
hospital and of real messages. Its own examples of wrong summaries show that it can find one. Terminology servers are not asked."""
import http.client
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import validator  # noqa: E402

validator.prepare()
from veilleuse_site import DATA, PROGRAM, ROOT, Node, done, note, ok, run, same  # noqa: E402

RESULTS_MAX = 8  # of a patient: more are of the same kind
KINDS = ("AllergyIntolerance", "Appointment", "Binary", "Bundle", "CapabilityStatement", "Condition", "DiagnosticReport",
         "DocumentReference", "Encounter", "Immunization", "Location", "MedicationAdministration", "MedicationDispense",
         "MedicationRequest", "Observation", "OperationOutcome", "Patient", "ServiceRequest", "Specimen")


def ask(node, path):
    path = path[path.index("/fhir") + 5:] if path.startswith("http") else path
    connection = http.client.HTTPConnection(node.web_option, timeout=60)
    connection.request("GET", "/fhir" + path)
    body = connection.getresponse().read()
    connection.close()
    return json.loads(body)


def chart_is_whole(node):
    durable = ((node.state()[1] or {}).get("vault") or {}).get("durable", 0)
    code, out, _ = run("chart", node.dir, "state", "--json")
    return durable > 1 and code == 0 and json.loads(out)["applied"] >= durable


def line_of(resource):
    return json.dumps(resource, separators=(",", ":")) + "\n"


def collect(node, out):
    """All of every patient, but of results the first ones; each page of a search; each summary."""
    patients = []
    with open(out, "w", encoding="utf-8") as file:
        path = "/Patient?_count=20"
        while path:
            bundle = ask(node, path)
            file.write(line_of(bundle))
            patients += [e["resource"]["id"] for e in bundle["entry"] if e["search"]["mode"] == "match"]
            path = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
        for patient in patients:
            results = 0
            path = f"/Patient/{patient}/$everything?_count=500"
            while path and results < RESULTS_MAX:
                bundle = ask(node, path)
                for entry in bundle.get("entry", []):
                    kind = entry["resource"]["resourceType"]
                    results += kind == "Observation"
                    if kind != "Observation" or results < RESULTS_MAX:
                        file.write(line_of(entry["resource"]))
                path = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
        for patient in patients[::4]:
            file.write(line_of(ask(node, f"/Patient/{patient}/$summary")))
        for entry in ask(node, "/Location").get("entry", []):
            file.write(line_of(entry["resource"]))
        file.write(line_of(ask(node, "/metadata")))


node = Node()
try:
    # ---- one of each ----
    samples = os.path.join(node.base, "samples.ndjson")
    with open(samples, "wb") as file:
        subprocess.run([os.path.join(ROOT, "build/release/tests/peers/fhir_samples")], stdout=file, check=True)
    errors, checked, _ = validator.validate(samples)
    same(errors[:10], [], "one of every kind and shape: no error")
    note(checked)
    same([kind for kind in KINDS if kind + "=" not in checked], [], "and none of the kinds is missing")

    # ---- it does find errors ----
    with open(samples, encoding="utf-8") as file:
        lines = file.read().splitlines()
    broken = os.path.join(node.base, "broken.ndjson")
    observation = json.loads(next(line for line in lines if '"Observation"' in line[:40]))
    with open(broken, "w", encoding="utf-8") as file:
        file.write(json.dumps({**observation, "status": "good"}) + "\n")
        file.write(json.dumps({key: value for key, value in observation.items() if key != "code"}) + "\n")
        file.write(json.dumps({**observation, "colour": "blue"}) + "\n")
    errors, _, _ = validator.validate(broken)
    ok(len(errors) >= 3, "a status of no list, a missing code, a member of no definition are found", errors)

    # ---- a node ----
    messages, everything = os.path.join(node.base, "simulated.hl7"), os.path.join(node.base, "everything.ndjson")
    subprocess.run([PROGRAM, "simulate", "--beds", "8", "--hours", "6", "--seed", "11", "--out", messages], check=True)
    same(run("import", node.dir, messages)[0], 0, "a simulated hospital is taken in")
    real = os.path.join(DATA, "hl7v2")
    if os.path.isdir(real):
        files = [os.path.join(where, name) for where, _, names in os.walk(real) for name in names if "simhospital" not in where]
        same(run("import", node.dir, *sorted(files))[0], 0, "real messages too")
    else:
        note("SKIPPED: the shared real messages are not here")
    node.start()
    ok(node.wait_until(lambda: chart_is_whole(node)), "the chart has everything")
    collect(node, everything)
    node.stop()
    errors, checked, _ = validator.validate(everything)
    same(errors[:10], [], "what a node gives: no error")
    note(checked)
finally:
    node.close()
done()
