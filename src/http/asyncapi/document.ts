/** The AsyncAPI 3.0 document of what replicas publish on the bus. */
import { messages } from './messages';

const SCHEMA_FORMAT = 'application/schema+json;version=draft-2020-12';

const about = [
  'What replicas publish on NATS: one JSON object a message. Anyone may listen; only replicas may publish. Times are by the clock of',
  'the process that published. Members that are not listed here may come with later versions: ignore them. A message with another `v`,',
  'or of another `type`, changes no row where it is not known.',
].join(' ');

export function asyncApiDocument(version: string): object {
  const entries = Object.entries(messages);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Metadata Center events',
      version,
      description: about,
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(
      entries.map(([name, { subject }]) => [
        name,
        {
          address: `{prefix}.${subject}`,
          parameters: { prefix: { $ref: '#/components/parameters/prefix' } },
          messages: { [name]: { $ref: `#/components/messages/${name}` } },
        },
      ]),
    ),
    operations: Object.fromEntries(
      entries.map(([name, { summary }]) => [
        `publish-${name}`,
        {
          action: 'send',
          summary,
          channel: { $ref: `#/channels/${name}` },
          messages: [{ $ref: `#/channels/${name}/messages/${name}` }],
        },
      ]),
    ),
    components: {
      parameters: {
        prefix: { description: 'NATS_SUBJECT_PREFIX of the replicas', default: 'metadata-center' },
      },
      messages: Object.fromEntries(
        entries.map(([name, { summary, payload, example }]) => [
          name,
          {
            name,
            summary,
            contentType: 'application/json',
            payload: { schemaFormat: SCHEMA_FORMAT, schema: payload },
            examples: [{ payload: example }],
          },
        ]),
      ),
    },
  };
}
