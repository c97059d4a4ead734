"""Holds written OpenSCENARIO and OpenDRIVE files against ASAM's own schemas. Not part of the test suite.

    python3 -m venv venv && venv/bin/pip install lxml asam-qc-openscenarioxml asam-qc-opendrive
    nearmiss convert scenes/cut-in.json case.xosc
    venv/bin/python tests/openscenario_schema.py case.xosc case.xodr

The schemas come with ASAM's checker bundles: OpenSCENARIO 1.1.1 and OpenDRIVE 1.4.
"""

import pathlib
import sys

import qc_opendrive
import qc_openscenario
from lxml import etree

SCHEMAS = {
    ".xosc": pathlib.Path(qc_openscenario.__file__).parent / "schema/1.1.1/OpenSCENARIO.xsd",
    ".xodr": pathlib.Path(qc_opendrive.__file__).parent / "schema/1.4/OpenDRIVE_1.4H.xsd",
}


def main(paths):
    for path in map(pathlib.Path, paths):
        schema = etree.XMLSchema(etree.parse(SCHEMAS[path.suffix]))
        document = etree.parse(path, etree.XMLParser(huge_tree=True))
        assert schema.validate(document), f"{path}: {schema.error_log}"
        print(f"{path}: valid")


if __name__ == "__main__":
    main(sys.argv[1:])
