import { labelValuesReference, references } from './promql';

const metrics = (expression: string): string[] => references(expression).map(({ metric }) => metric);

describe('what a PromQL expression refers to', () => {
  it('is its metrics, not its functions, keywords, labels, durations and numbers', () => {
    expect(
      metrics('sum by (job, instance) (rate(a_total{status=~"5..",url!="/b_total"}[5m])) / 1e6 > 0.01'),
    ).toEqual(['a_total']);
    expect(metrics('x unless x offset 15m or y')).toEqual(['x', 'x', 'y']);
    expect(metrics('sum(p) < on (job) group_left () (count by (job) (up == 1) - 1)')).toEqual(['p', 'up']);
  });

  it('includes the labels of each selector', () => {
    expect(references('a{b="c",d=~"e"} + f{g!="h"}')).toEqual([
      { metric: 'a', labels: ['b', 'd'] },
      { metric: 'f', labels: ['g'] },
    ]);
    expect(labelValuesReference('label_values(queued_num{job="j"}, model_name)')).toEqual({
      metric: 'queued_num',
      labels: ['job', 'model_name'],
    });
  });
});
