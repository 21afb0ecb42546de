"""Evaluate arithmetic expressions on decimals: numbers, the four operations and parentheses. Pure."""

import re
from decimal import Context, Decimal, DecimalException

DIGITS = 28
DEPTH_MAX = 50
CENT = Decimal("0.01")

TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<sign>[-+*/()]))")


class InvalidExpression(Exception):
    """The expression cannot be evaluated; the message says why."""


def value(expression: str) -> str:
    """Return the value rounded to cents, as the shortest decimal with a point: `1200.0`. Raises InvalidExpression."""
    try:
        result = Parser(tokens(expression)).whole()
        return str(float(round(result, 2)))
    except DecimalException as error:
        raise InvalidExpression("a number is out of range or divided by zero") from error


def tokens(expression: str) -> list[str]:
    found, position = [], 0
    text = expression.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            wrong = text[position:].strip()[:1]
            raise InvalidExpression(f"{wrong!r} is not allowed; use numbers, + - * / and parentheses only")
        found.append(match["number"] or match["sign"])
        position = match.end()
    return found


class Parser:
    """Recursive descent: a sum of products of signed factors."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0
        self._context = Context(prec=DIGITS)

    def whole(self) -> Decimal:
        result = self._sum()
        if self._next() is not None:
            raise InvalidExpression(f"unexpected {self._next()!r}")
        return result

    def _next(self) -> str | None:
        return self._tokens[self._position] if self._position < len(self._tokens) else None

    def _take(self) -> str:
        token = self._next()
        if token is None:
            raise InvalidExpression("the expression is incomplete")
        self._position += 1
        return token

    def _sum(self) -> Decimal:
        result = self._product()
        while self._next() in ("+", "-"):
            add = self._take() == "+"
            operand = self._product()
            result = self._context.add(result, operand) if add else self._context.subtract(result, operand)
        return result

    def _product(self) -> Decimal:
        result = self._factor()
        while self._next() in ("*", "/"):
            multiply = self._take() == "*"
            operand = self._factor()
            result = self._context.multiply(result, operand) if multiply else self._context.divide(result, operand)
        return result

    def _factor(self) -> Decimal:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise InvalidExpression("the expression is nested too deeply")
        result = self._unit()
        self._depth -= 1
        return result

    def _unit(self) -> Decimal:
        token = self._take()
        if token in ("+", "-"):
            operand = self._factor()
            return operand if token == "+" else self._context.minus(operand)
        if token == "(":
            result = self._sum()
            if self._take() != ")":
                raise InvalidExpression("a parenthesis is not closed")
            return result
        if token[0].isdigit() or token[0] == ".":
            return Decimal(token)
        raise InvalidExpression(f"unexpected {token!r}")
