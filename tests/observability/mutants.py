"""Mutation testing of alert rules: wrong variants of a rule, and the rule's tests applied to each. Pure functions."""

import re
from collections.abc import Iterator
from typing import Any

Yaml = dict[str, Any]

MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
GROUPING = re.compile(r"\bby \(([^)]*)\)")
COMPARISON = re.compile(r"( )(==|>|<)( )")
THRESHOLD = re.compile(r"(?<=[=><] )\d+(?:\.\d+)?(?= ?(?:\*|$|\n|\)| or ))")
QUANTILE = re.compile(r"(?<=histogram_quantile\()\d+\.\d+", re.DOTALL)
DURATION = re.compile(r"(\d+)([mh])")

INVERSE = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~", ">": "<", "<": ">", "==": "!="}
SEVERITIES = {"critical": "warning", "warning": "critical"}


def mutants_of(rule: Yaml) -> Iterator[tuple[str, Yaml]]:
    """Yield each wrong rule with a description of the change."""
    for expr in expressions(rule["expr"]):
        yield f"{' '.join(expr.split())}", {**rule, "expr": expr}
    if "for" in rule:
        for shorter_or_longer in durations(rule["for"]):
            yield f"for: {shorter_or_longer}", {**rule, "for": shorter_or_longer}
    severity = SEVERITIES[rule["labels"]["severity"]]
    yield f"severity: {severity}", {**rule, "labels": {"severity": severity}}


def expressions(expr: str) -> Iterator[str]:
    for found in MATCHER.finditer(expr):
        label, operator, value = found.groups()
        yield replaced(expr, found, f'{label}{INVERSE[operator]}"{value}"')
        for remaining in without_one(value.split("|")):
            yield replaced(expr, found, f'{label}{operator}"{"|".join(remaining)}"')
    for found in GROUPING.finditer(expr):
        for labels in without_one(found[1].split(", ")):
            yield replaced(expr, found, f"by ({', '.join(labels)})")
    for found in COMPARISON.finditer(expr):
        yield replaced(expr, found, f" {INVERSE[found[2]]} ")
    for found in (*THRESHOLD.finditer(expr), *QUANTILE.finditer(expr)):
        number = float(found[0])
        for other in (number / 2, number * 2) if number else (-1, 1):
            yield replaced(expr, found, f"{other:g}")


def without_one(parts: list[str]) -> Iterator[list[str]]:
    for at in range(len(parts)):
        yield [*parts[:at], *parts[at + 1 :]]


def durations(text: str) -> Iterator[str]:
    """Yield half of the duration and twice the duration."""
    found = DURATION.fullmatch(text)
    assert found is not None, f"not a duration in minutes or hours: {text}"
    minutes = int(found[1]) * (60 if found[2] == "h" else 1)
    yield f"{minutes * 30}s"
    yield f"{minutes * 2}m"


def replaced(expr: str, found: re.Match[str], by: str) -> str:
    return expr[: found.start()] + by + expr[found.end() :]


def apply_to_mutants(suite: Yaml, alert: str, mutants: list[str]) -> Yaml:
    """Return promtool's tests of one alert, applied to each of its mutants."""
    tests = []
    for test in suite["tests"]:
        checks = [check for check in test["alert_rule_test"] if check["alertname"] == alert]
        mutant_checks = [{**check, "alertname": name} for check in checks for name in mutants]
        if mutant_checks:
            tests.append({**test, "alert_rule_test": mutant_checks})
    return {**suite, "tests": tests}
