"""The list of components that goes with a release."""

import json
import re
import subprocess
from pathlib import Path

from tests.commands import ROOT


def test_the_list_of_components_is_what_is_locked(tmp_path: Path) -> None:
    written = tmp_path / "jawel.cdx.json"
    command = ["make", "--no-print-directory", "sbom", f"SBOM={written}"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    document = json.loads(written.read_text(encoding="utf-8"))
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "jawel"
    listed = {(each["name"].lower(), each["version"]): each for each in document["components"]}
    locked = re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", (ROOT / "requirements.txt").read_text(), re.M)
    assert len(locked) > 20
    assert set(listed) == {(name.lower(), version) for name, version in locked}
    for component in listed.values():
        hashes = [each for source in component["externalReferences"] for each in source.get("hashes", [])]
        assert {each["alg"] for each in hashes} == {"SHA-256"}
        assert component["purl"].startswith("pkg:pypi/")
