"""Completion, as bash does it with the script that the command prints."""

import subprocess

import pytest

from engagement_pipeline.cli.commands import SHELLS
from engagement_pipeline.core.endpoints import ENDPOINTS

# What bash does for the Tab key: it runs the function that is registered for the command.
TAB = r"""
source "$0"
COMP_WORDS=("$@")
COMP_CWORD=$(( $# - 1 ))
[[ $(complete -p engagement) =~ -F\ ([^ ]+) ]] && "${BASH_REMATCH[1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def completed(engagement, tmp_path):
    """Return a function that gives what bash offers for the last of some words."""
    script = tmp_path / "script"
    script.write_text(engagement("completion", "bash")[1])
    folder = tmp_path / "working"
    (folder / "inner").mkdir(parents=True)
    (folder / "mine.toml").touch()

    def offered(*words):
        command = ["bash", "--norc", "-c", TAB, str(script), "engagement", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
        assert done.stderr == ""
        return set(done.stdout.split())

    return offered


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("sta",), {"status"}),
        (("pull", "--endpoint", ""), {*ENDPOINTS}),
        (("pull", "--skip"), {"--skip-bad-rows"}),
        (("help", "rebu"), {"rebuild"}),
        (("completion", ""), set(SHELLS)),
        (("sql", "--config", ""), {"mine.toml", "inner"}),
        (("catalog", "--root", ""), {"inner"}),
        (("roster", "sy"), {"sync"}),
        (("roster", "import", ""), {"mine.toml", "inner"}),
    ],
)
def test_bash_completes_commands_options_values_and_paths(completed, words, offered):
    assert completed(*words) == offered


@pytest.mark.parametrize(("shell", "begins"), [("zsh", "#compdef engagement"), ("fish", "complete -c engagement")])
def test_other_shells_get_a_script_of_their_own(engagement, shell, begins):
    code, out, errors = engagement("completion", shell)
    assert (code, errors) == (0, [])
    assert any(line.startswith(begins) for line in out.splitlines())
    assert "rebuild" in out
