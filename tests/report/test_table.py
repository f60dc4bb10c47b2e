from dataclasses import dataclass

import pytest

from jaxir.report import Result, markdown, plain

ROWS = [
    Result("cat, motion blur", "input", 21.5, None, None, None, 0.512, None, None),
    Result("cat, motion blur", "diffpir", 27.123, 26.1, 5.623, 1.2, 0.81, 50, 12.34),
    Result("coffee, 92 % missing", "diffpir", 24.0, 23.0, 16.0, -0.05, 0.7, 50, 9.0),
]


def test_a_plain_table_reads_in_columns():
    assert (
        plain(ROWS)
        == """\
task                  method   PSNR dB  one sample  over input  over baseline   SSIM  evaluations  seconds
--------------------  -------  -------  ----------  ----------  -------------  -----  -----------  -------
cat, motion blur      input      21.50           -           -              -  0.512            -        -
                      diffpir    27.12       26.10       +5.62          +1.20  0.810           50     12.3
coffee, 92 % missing  diffpir    24.00       23.00      +16.00          -0.05  0.700           50      9.0"""
    )


def test_a_markdown_table_has_equal_columns_and_keeps_bars_inside_cells():
    @dataclass
    class Own:
        name: str
        value: float

    assert markdown([Own("a|b", 1.5)]) == "| name | value |\n| ---- | ----: |\n| a\\|b |   1.5 |"


def test_an_empty_table_is_refused():
    with pytest.raises(ValueError, match="at least one row"):
        plain([])
