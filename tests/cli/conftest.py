import pytest


@pytest.fixture
def said(capsys):
    """Runs the command in this process and gives what it printed."""
    from srvp_lite.cli import main

    def run(*arguments):
        main([str(a) for a in arguments])
        return capsys.readouterr().out

    return run
