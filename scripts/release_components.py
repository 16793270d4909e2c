"""Leaves in a list of components (CycloneDX) what is in the program: FILE, and the output of `cargo tree` as input.

cargo-cyclonedx lists the crates of tests and of other features as well, and the paths of the machine that built.
"""

import json
import os
import sys

crates = {tuple(line.split()[:2]) for line in sys.stdin if line.strip()}
with open(sys.argv[1]) as file:
    listed = json.loads(file.read().replace(os.getcwd(), "/precall"))
components = [it for it in listed["components"] if (it["name"], "v" + it["version"]) in crates]
known = {it["bom-ref"] for it in components} | {listed["metadata"]["component"]["bom-ref"]}
dependencies = [it for it in listed["dependencies"] if it["ref"] in known]
for it in dependencies:
    it["dependsOn"] = [ref for ref in it.get("dependsOn", []) if ref in known]
program = listed["metadata"]["component"]
missing = crates - {(it["name"], "v" + it["version"]) for it in [*components, program]}
if missing:
    sys.exit(f"not in the list: {sorted(missing)}")
with open(sys.argv[1], "w") as file:
    json.dump(listed | {"components": components, "dependencies": dependencies}, file, indent=1)
