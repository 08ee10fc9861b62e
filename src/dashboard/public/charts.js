/** The two charts, in the colours of the scheme in use. */
import uPlot from './uPlot.esm.js';
import { short } from './cells.js';

const HEIGHT = 170;

export class Charts {
  constructor() {
    this.plots = [];
    this.build();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.build());
    new ResizeObserver(() => this.fit()).observe(document.querySelector('.charts'));
  }

  show({ times, queued, prompt }) {
    this.last = { times, queued, prompt };
    this.plots[0].setData([times, queued]);
    this.plots[1].setData([times, prompt]);
  }

  build() {
    for (const plot of this.plots) plot.destroy();
    this.plots = ['queued', 'prompt'].map((kind) => chart(document.getElementById(`${kind}-chart`), kind));
    if (this.last) this.show(this.last);
  }

  fit() {
    for (const plot of this.plots) {
      const width = plot.root.parentElement.clientWidth;
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT });
    }
  }
}

function chart(parent, kind) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--muted'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  const ago = (plot, times) => {
    const now = plot.data[0].at(-1) ?? 0;
    return times.map((time) => (now - time < 1 ? 'now' : `−${Math.round((now - time) / 60)} min`));
  };
  return new uPlot(
    {
      width: parent.clientWidth || 300,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, y: { range: (_plot, _min, max) => [0, Math.max(4, (max ?? 0) * 1.15)] } },
      axes: [
        {
          ...axis,
          size: 24,
          splits: (plot) =>
            [240, 180, 120, 60, 0]
              .map((s) => (plot.data[0].at(-1) ?? 0) - s)
              .filter((time) => time >= plot.scales.x.min),
          values: ago,
        },
        {
          ...axis,
          size: 46,
          space: 26,
          values: (_plot, values) => values.map((value) => (Number.isInteger(value) ? short(value) : '')),
        },
      ],
      series: [
        {},
        {
          stroke: colour(`--${kind}`),
          width: 1.5,
          points: { show: false },
          fill: `${colour(`--${kind}`)}22`,
        },
      ],
    },
    [[], []],
    parent,
  );
}
