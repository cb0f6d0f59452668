"""Does a dotted name, as a page gives it, exist?"""

from importlib import import_module


def exists(name: str) -> bool:
    """Tell whether a dotted name is a module, or something in one."""
    module, inner = name, list[str]()
    while module:
        try:
            value = import_module(module)
        except ModuleNotFoundError as error:
            if not f"{name}.".startswith(f"{error.name}."):
                raise  # the module is there, and a package that it needs is not
            module, _, last = module.rpartition(".")
            inner.insert(0, last)
            continue
        for part in inner:
            if not hasattr(value, part):
                return False
            value = getattr(value, part)
        return True
    return False
