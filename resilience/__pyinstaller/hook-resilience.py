"""Names for PyInstaller what a frozen program needs of the library and its imports do not show.

These are the shipped policies, code tables and scenarios; the modules that are imported by name; and what other
packages offer through entry points. ccxt and other clients that a program hands to `wrap` are left to the program: it
contains those that it imports itself, because ccxt alone is larger than most programs.
"""

from PyInstaller.utils.hooks import (  # type: ignore[import-untyped]  # it has no types
    collect_data_files,
    collect_entry_point,
    collect_submodules,
    copy_metadata,
)

_NEVER_FROZEN = ("resilience.__pyinstaller", "resilience.testing_plugin")
_GROUPS = ("resilience.clients", "resilience.registries", "resilience.stages", "resilience.venues")

# A package whose client is not installed cannot be imported, and is left out.
hiddenimports = collect_submodules(
    "resilience", filter=lambda name: not name.startswith(_NEVER_FROZEN), on_error="ignore"
)
datas = collect_data_files("resilience")
# The compiled forms of policies are run as files, and the first line of a command's source is its line in `--help`.
for _folder in ("_policies/compiled", "cli/commands"):
    datas += collect_data_files("resilience", include_py_files=True, subdir=_folder)
datas += copy_metadata("resilience-middleware")  # for `resilience --version`
for _group in _GROUPS:
    _files, _modules = collect_entry_point(_group)
    datas += _files
    hiddenimports += _modules
# Kept: httpx, which AsyncBitgetClient imports, and the extras that the library uses by itself.
excludedimports = ["aiohttp", "ccxt", "pytest", "trio"]
