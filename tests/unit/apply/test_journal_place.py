from pathlib import Path

from bedrock_distill.apply.journal import default_state_dir


def test_journals_have_a_place_even_where_there_is_no_home(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert default_state_dir().is_absolute()


def test_a_relative_state_home_is_passed_over(monkeypatch):
    """The XDG rules say so: it would mean another folder in every folder."""
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert default_state_dir().is_absolute()
