"""The module system: declare, record, resolve, explain, document. Pure: no clock, no network, no look at any machine."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from holdfast.options.attrs import Attrs as Attrs
    from holdfast.options.config import Config as Config
    from holdfast.options.declare import Option as Option
    from holdfast.options.declare import OptionSet as OptionSet
    from holdfast.options.declare import entry_name as entry_name
    from holdfast.options.declare import option as option
    from holdfast.options.declare import removed_option as removed_option
    from holdfast.options.declare import renamed_option as renamed_option
    from holdfast.options.definition import Def as Def
    from holdfast.options.definition import after as after
    from holdfast.options.definition import before as before
    from holdfast.options.definition import default as default
    from holdfast.options.definition import force as force
    from holdfast.options.definition import freeze as freeze
    from holdfast.options.definition import lazy as lazy
    from holdfast.options.definition import order as order
    from holdfast.options.definition import override as override
    from holdfast.options.diagnostics import Assertion as Assertion
    from holdfast.options.diagnostics import Diagnostics as Diagnostics
    from holdfast.options.documentation import document as document
    from holdfast.options.evaluation import evaluate as evaluate
    from holdfast.options.explain import Explanation as Explanation
    from holdfast.options.inspection import definitions_of as definitions_of
    from holdfast.options.inspection import is_defined as is_defined
    from holdfast.options.inspection import priority_of as priority_of
    from holdfast.options.keyed import KeyedSet as KeyedSet
    from holdfast.options.keyed import ValueSet as ValueSet
    from holdfast.options.modules import Module as Module
    from holdfast.options.modules import ModuleFunction as ModuleFunction
    from holdfast.options.modules import ModuleLike as ModuleLike
    from holdfast.options.modules import implements as implements
    from holdfast.options.modules import module as module
    from holdfast.options.paths import format_path as format_path
    from holdfast.options.paths import parse_path as parse_path
    from holdfast.options.types import BOOL as BOOL
    from holdfast.options.types import BOOL_OR as BOOL_OR
    from holdfast.options.types import INT as INT
    from holdfast.options.types import STR as STR
    from holdfast.options.types import Type as Type
    from holdfast.options.types import attrs_of as attrs_of
    from holdfast.options.types import list_of as list_of
    from holdfast.options.types import submodule as submodule
    from holdfast.options.types_combine import DATA as DATA
    from holdfast.options.types_combine import coerced as coerced
    from holdfast.options.types_combine import either as either
    from holdfast.options.types_combine import null_or as null_or
    from holdfast.options.types_combine import set_of as set_of
    from holdfast.options.types_combine import tagged as tagged
    from holdfast.options.types_combine import unique as unique
    from holdfast.options.types_python import RAW as RAW
    from holdfast.options.types_python import enum_of as enum_of
    from holdfast.options.types_python import instance_of as instance_of
    from holdfast.options.types_text import ARGV as ARGV
    from holdfast.options.types_text import LINES as LINES
    from holdfast.options.types_text import LOCAL_FILE as LOCAL_FILE
    from holdfast.options.types_text import PATH as PATH
    from holdfast.options.types_text import PORT as PORT
    from holdfast.options.types_text import UNSIGNED as UNSIGNED
    from holdfast.options.types_text import between as between
    from holdfast.options.types_text import matching as matching
    from holdfast.options.types_text import one_of as one_of
    from holdfast.options.types_text import separated as separated
else:
    _HOMES = {
        "attrs": "Attrs",
        "config": "Config",
        "declare": "Option OptionSet entry_name option removed_option renamed_option",
        "definition": "Def after before default force freeze lazy order override",
        "diagnostics": "Assertion Diagnostics",
        "documentation": "document",
        "evaluation": "evaluate",
        "explain": "Explanation",
        "inspection": "definitions_of is_defined priority_of",
        "keyed": "KeyedSet ValueSet",
        "modules": "Module ModuleFunction ModuleLike implements module",
        "paths": "format_path parse_path",
        "types": "BOOL BOOL_OR INT STR Type attrs_of list_of submodule",
        "types_combine": "DATA coerced either null_or set_of tagged unique",
        "types_python": "RAW enum_of instance_of",
        "types_text": "ARGV LINES LOCAL_FILE PATH PORT UNSIGNED between matching one_of separated",
    }
    _HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

    def __getattr__(name):
        home = _HOME.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{home}"), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted(_HOME)
