"""The report as JUnit XML, which CI systems draw: one test case per target.

A case fails if its finding reaches the gate (near-duplicate where none was set), and is an error
if the target could not be read. What the baseline accepts is skipped.
"""

from __future__ import annotations

from xml.etree import ElementTree

from memscan import verdicts
from memscan.records import Finding, Level
from memscan.report import Report
from memscan.reports import Style, learned
from memscan.reports.names import inert, inert_path
from memscan.reports.text import finding_lines
from memscan.reports.unread import failure_line


def render(report: Report, style: Style) -> str:
    """The whole report; ``style.gate`` decides what fails."""
    refused = sum(verdicts.reaches(finding, style.gate) for finding in report.findings)
    counts = {
        "tests": str(len(report.findings) + len(report.target_failures)),
        "failures": str(refused),
        "errors": str(len(report.target_failures)),
        "skipped": str(sum(finding.accepted for finding in report.findings)),
    }
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "memscan", **counts})
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (
        ("version", report.version),
        ("encoder", report.encoder),
        ("near_threshold", str(report.thresholds.near)),
        ("distinct_threshold", str(report.thresholds.distinct)),
        ("gate", style.gate.value),
        ("source_found", str(report.found)),
        ("source_hashed", str(report.hashed)),
        *(
            (role.replace(" ", "_"), f"{learned.title(network)}: {learned.details(network)}")
            for role, network in learned.networks(report)
        ),
    ):
        ElementTree.SubElement(properties, "property", {"name": name, "value": value})
    for finding in report.findings:
        _add_finding(suite, finding, style.gate)
    for failure in report.target_failures:
        case = _case(suite, failure.path)
        error = {"type": failure.stage.value, "message": inert(failure.message)}
        ElementTree.SubElement(case, "error", error)
    others = [item for item in report.failures if item not in report.target_failures]
    if others:
        unread = ElementTree.SubElement(suite, "system-err")
        unread.text = "".join(f"{failure_line(item)}\n" for item in others)
    for element in suites.iter():  # a line each
        element.tail = "\n"
        if element.text is None and len(element):
            element.text = "\n"
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}'


def _case(suite: ElementTree.Element, path: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite, "testcase", {"classname": "memscan", "name": inert_path(path)}
    )


def _add_finding(suite: ElementTree.Element, finding: Finding, gate: Level) -> None:
    case = _case(suite, finding.target)
    text = "".join(f"{line}\n" for line in finding_lines(finding, verbose=True))
    if verdicts.reaches(finding, gate):
        message = f"{finding.verdict.value} at distance {learned.distance(finding.distance)}"
        kind = {"type": finding.verdict.value, "message": message}
        ElementTree.SubElement(case, "failure", kind).text = text
    else:
        if finding.accepted:
            ElementTree.SubElement(case, "skipped", {"message": "accepted by the baseline"})
        ElementTree.SubElement(case, "system-out").text = text
