"""What a marimo notebook needs of marimo to run as a script: cells that take and return variables by their names."""

import inspect


class App:
    """The cells of a notebook; each runs once all variables that it takes are there, as in marimo."""

    def __init__(self):
        self._cells = []

    def cell(self, function):
        self._cells.append(function)
        return function

    def run(self):
        """Run each cell, and return all variables that they made."""
        made, left = {}, list(self._cells)
        while left:
            cell = next(cell for cell in left if inspect.signature(cell).parameters.keys() <= made.keys())
            left.remove(cell)
            names = inspect.signature(cell).parameters
            made |= dict(zip(returned(cell), cell(**{name: made[name] for name in names}) or (), strict=True))
        return made


def returned(cell):
    """Return the names in the `return` of a cell."""
    last = inspect.getsource(cell).strip().splitlines()[-1].strip()
    return (
        [name.strip() for name in last.removeprefix("return").strip("() ").split(",") if name.strip()]
        if (last.startswith("return"))
        else []
    )
