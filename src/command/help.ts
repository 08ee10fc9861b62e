/** What `--help` prints, and `docs/configuration.md`: both from the declarations of the variables. */
import type { AnyVariable } from '../config/variable';
import { GROUPS } from '../config/variables';

const WIDTH = 100;
const INDENT = '      ';

export function helpText(): string {
  const lines = [
    'Metadata Center: the live load of inference engines, for AI gateways.',
    '',
    'metadata-center            runs a replica, configured by the environment',
    'metadata-center --check    checks the configuration, and tries NATS and DNS once; exits with 1 where something is wrong',
    'metadata-center --version  prints the version',
    'metadata-center --help     prints this',
    '',
    'Environment (unset and empty are the same; durations are written 500ms, 5s, 10m, 1h30m)',
  ];
  for (const [group, variables] of Object.entries(GROUPS)) {
    lines.push('', group);
    for (const [name, { kind, words, shownDefault }] of Object.entries(variables)) {
      lines.push(`  ${name}  ${plain(`${kind.allowed}; default ${shownDefault}`)}`, ...wrapped(plain(words)));
    }
  }
  return `${lines.join('\n')}\n`;
}

/** The page, in Markdown. */
export function configurationPage(): string {
  const sections = Object.entries(GROUPS).map(([group, variables]) =>
    [
      `## ${group}\n`,
      '| variable | default | allowed | meaning |',
      '| - | - | - | - |',
      ...Object.entries(variables).map(row),
    ].join('\n'),
  );
  return `${INTRODUCTION}\n${sections.join('\n\n')}\n`;
}

const INTRODUCTION = `# Configuration

For whoever runs replicas. \`metadata-center --help\` prints the same table. This page is made from the code by \`npm run docs\`.

Everything is configured by environment variables. An unset variable and an empty one are the same. A bad value stops the start:
the replica names every bad variable at once, and exits with 1. A variable that begins like ours and is none is warned about. What
is set is in the first line of the log, without secrets. Durations are written \`500ms\`, \`5s\`, \`10m\`, \`1h30m\`. A file must be
readable at the start; one that is read again when it changes may be 1 MiB at most. Files with credentials for NATS are read again
for each connection, so they can be rotated.

\`metadata-center --check\` checks all of it, tries NATS and DNS once, and exits with 1 where something is wrong.
`;

function row([name, { kind, words, shownDefault }]: [string, AnyVariable]): string {
  return `| \`${name}\` | ${shownDefault} | ${kind.allowed} | ${words} |`;
}

function plain(markdown: string): string {
  return markdown.replaceAll('`', '');
}

function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = INDENT;
  for (const word of text.split(' ')) {
    if (line.length + word.length > WIDTH) {
      lines.push(line);
      line = INDENT;
    }
    line += line === INDENT ? word : ` ${word}`;
  }
  return [...lines, line];
}
