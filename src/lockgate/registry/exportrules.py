"""What may stand in the description of an exported program: operators, names, nested values, calculations with sizes.

torch's reader makes Python of these texts (see exportfile.py), so each has a grammar of its own.
"""

from __future__ import annotations

import ast
import json
import keyword
import re
from collections.abc import Callable
from typing import Any

OPERATORS = re.compile(
    # without what every Python object has: torch.ops.aten.__init__.__func__ is no operator
    r"torch\.ops\.(aten|prims)\.(?!__)\w+\.(?!_)\w+|torch\.ops\.aten\.__i?(and|or|xor|lshift|rshift)__\.(?!_)\w+|"
    r"torch\.ops\.higher_order\.(cond|map_impl|scan|while_loop|wrap_with_set_grad_enabled)|"
    r"_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)|"
    r"math\.(ceil|floor|trunc|sqrt)|torch\.sym_(max|min|float|int|ite|not|sqrt)|torch\._sym_sqrt",
    re.ASCII,
)
REACHING = re.compile(
    r"torch\.ops\.aten\.(from_file|save|warn|_?print)\w*\..*"
)  # operators that reach beyond tensors
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
PATH = re.compile(r"\w*([.@]\w+)*", re.ASCII)  # of a parameter or a module inside others
HARMLESS = re.compile(
    r"[\w .,:;+<>=/@*|-]*", re.ASCII
)  # an option of an operator such as `mean`; it is only ever quoted
SYMBOL = re.compile(r"-?int_oo|oo|zuf?\d*|[suz]\w?\d+", re.ASCII)
NAMES = frozenset(["name", "as_name", "path_name", "forward_arg_names"])
PATHS = frozenset(
    ["fqn", "parameter_name", "buffer_name", "tensor_constant_name", "user_input_name", "custom_obj_name"]
)
SPECS = frozenset(["in_spec", "out_spec"])
NESTED = frozenset([None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"])
_FUNCTIONS = (
    "Symbol Integer Float Rational Add Mul Pow Max Min Mod Abs Eq Ne Lt Le Gt Ge And Or Not Equality Unequality LessThan "
    "GreaterThan StrictLessThan StrictGreaterThan FloorDiv ModularIndexing Where PythonMod CleanDiv CeilToInt FloorToInt "
    "CeilDiv LShift RShift PowByNatural FloatPow FloatTrueDiv IntTrueDiv IsNonOverlappingAndDenseIndicator TruncToFloat "
    "TruncToInt RoundToInt RoundDecimal ToFloat Identity"
)
FUNCTIONS = frozenset(_FUNCTIONS.split())
METHODS = frozenset(["size", "stride", "storage_offset"])  # of a tensor, in a guard
CALCULATION = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop,
               ast.cmpop, ast.expr_context, ast.keyword, ast.Load)  # fmt: skip
LONGEST_EXPRESSION = 2_000
OTHER_TO_SYMPY = frozenset(
    "\\#"
)  # it joins lines before it reads: what escapes or comments there is code to it


def _is_operator(text: str) -> bool:
    return bool(OPERATORS.fullmatch(text)) and not REACHING.fullmatch(text)


def _is_name(text: str) -> bool:
    return bool(NAME.fullmatch(text)) and not keyword.iskeyword(text)


def _is_nested(text: str) -> bool:
    """Whether a text describes nested tuples, lists and dictionaries, and nothing that is looked up or imported."""

    def plain(spec: Any) -> bool:
        context = json.loads(spec["context"]) if spec["context"] else None
        keys = context if isinstance(context, list) else []
        return (
            spec["type"] in NESTED
            and (context is None or isinstance(context, list))
            and all(isinstance(one, str) and PATH.fullmatch(one) for one in keys)
            and all(plain(inner) for inner in spec["children_spec"])
        )

    if not text:
        return True
    version, spec = json.loads(text)
    return isinstance(version, int) and plain(spec)


def is_calculation(text: str, *, guards: bool = False) -> bool:
    """Whether a text is arithmetic and comparison of numbers, symbols, known functions and, in guards, sizes of inputs."""
    if (
        len(text) > LONGEST_EXPRESSION
        or not (text.isascii() and text.isprintable())
        or OTHER_TO_SYMPY & {*text}
    ):
        return False
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError):
        return False
    quoted = {
        id(one)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call | ast.Subscript)
        for one in _quoted(node, guards)
    }
    return all(_is_plain(node, id(node) in quoted, guards) for node in ast.walk(tree))


def _quoted(node: ast.Call | ast.Subscript, guards: bool) -> list[ast.expr]:
    """The texts that may stand in an expression: a symbol's name, and in guards an input's."""
    if isinstance(node, ast.Call):
        return node.args[:1] if isinstance(node.func, ast.Name) and node.func.id == "Symbol" else []
    return [node.slice] if guards else []


def _is_plain(node: ast.AST, quoted: bool, guards: bool) -> bool:
    match node:
        case ast.Constant(value=str() as text):
            return quoted and _is_name(text)
        case ast.Name(id=name):
            return name in FUNCTIONS or bool(SYMBOL.fullmatch(name)) or (guards and name == "L")
        case ast.Attribute(attr=attribute):
            return guards and attribute in METHODS
        case ast.Subscript():
            return guards
        case ast.Call(func=ast.Name() | ast.Attribute()):  # its name is looked at by itself
            return True
    return isinstance(node, CALCULATION) or (
        isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float)
    )


RULES: dict[str, tuple[Callable[[str], Any], str]] = {
    **dict.fromkeys(["target", "as_operator"], (_is_operator, "only arithmetic on tensors is loaded")),
    **dict.fromkeys(NAMES, (_is_name, "it is not a name")),
    **dict.fromkeys(PATHS, (PATH.fullmatch, "it is not a name")),
    **dict.fromkeys(SPECS, (_is_nested, "it nests more than tuples, lists and dictionaries")),
    "expr_str": (is_calculation, "it is not a calculation with sizes"),
}
