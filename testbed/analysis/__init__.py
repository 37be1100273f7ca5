"""From samples to statements: statistics, comparison and the report.

Nothing here needs root, a lab or the machine that measured: the input is a results folder.

- :mod:`~testbed.analysis.frames`: samples in and out of a folder;
- :mod:`~testbed.analysis.statistics`: medians and ratios with their intervals;
- :mod:`~testbed.analysis.summary`: one row per cell and metric (``summary.csv``);
- :mod:`~testbed.analysis.comparison`: one results folder against another, with a verdict;
- :mod:`~testbed.analysis.layout`, :mod:`~testbed.analysis.sections`,
  :mod:`~testbed.analysis.headlines`: the summary arranged for reading;
- :mod:`~testbed.analysis.failures`: how long traffic stood still;
- :mod:`~testbed.analysis.ports`, :mod:`~testbed.analysis.traffic`, :mod:`~testbed.analysis.drops`:
  where the traffic went, by the port counters;
- :mod:`~testbed.analysis.setup`, :mod:`~testbed.analysis.events`: what was measured, on what;
- :mod:`~testbed.analysis.table`: the table on the console;
- :mod:`~testbed.analysis.drawings`: all figures, from :mod:`~testbed.analysis.overview`,
  :mod:`~testbed.analysis.gaps`, :mod:`~testbed.analysis.heatmap`,
  :mod:`~testbed.analysis.figures`; and :mod:`~testbed.analysis.topology`;
- :mod:`~testbed.analysis.report`: all of it as one HTML file;
- :mod:`~testbed.analysis.export`: its parts for a paper, :mod:`~testbed.analysis.latex` among them.
"""
