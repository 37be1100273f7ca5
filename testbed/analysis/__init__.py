"""From samples to statements: statistics, comparison and the report.

Nothing here needs root, a lab or the machine that measured: the input is a results folder.

- :mod:`~testbed.analysis.frames`: samples in and out of a folder;
- :mod:`~testbed.analysis.statistics`: medians and ratios with their intervals;
- :mod:`~testbed.analysis.summary`: one row per cell and metric (``summary.csv``);
- :mod:`~testbed.analysis.comparison`: one results folder against another, with a verdict;
- :mod:`~testbed.analysis.layout`, :mod:`~testbed.analysis.sections`,
  :mod:`~testbed.analysis.headlines`: the summary arranged for reading;
- :mod:`~testbed.analysis.table`: the table on the console;
- :mod:`~testbed.analysis.overview`, :mod:`~testbed.analysis.figures`,
  :mod:`~testbed.analysis.topology`: the drawings;
- :mod:`~testbed.analysis.report`: all of it as one HTML file;
- :mod:`~testbed.analysis.export`: its parts for a paper, :mod:`~testbed.analysis.latex` among them.
"""
