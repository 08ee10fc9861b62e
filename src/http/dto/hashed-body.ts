/**
 * Bodies with a `prompt_hash`: their list of hashes is read from the text, and the rest is checked as every body is. What differs from
 * how gateways write it goes the general way, which alone says what is wrong.
 */
import { type PrefixHashes, prefixHashesOf } from '../../cache/prefix-hashes';
import { JsonObject, readUnsigned } from '../../wire/json-object';
import { jsonBody } from '../json-body';
import { MAX_PROMPT_HASHES } from './cache.dto';
import { DtoCheck } from './dto-check';

const NAME = 'prompt_hash';
type Hashed = { readonly [NAME]?: readonly bigint[] | null };

export class HashedBody<Dto extends Hashed> {
  private readonly check: DtoCheck<Dto>;
  /** Of the list that is read just now. */
  private readonly words = new Int32Array(2 * MAX_PROMPT_HASHES);

  constructor(dto: new () => Dto) {
    this.check = new DtoCheck(dto);
  }

  /** Throws an `ApiError` that names each bad field. */
  read(bytes: Buffer): { readonly dto: Dto; readonly hashes: PrefixHashes } {
    const quick = JsonObject.readBesideList(bytes, NAME);
    const hashes = quick && this.list(quick.text, quick.listStart);
    if (hashes && this.check.accepts(quick.object)) return { dto: quick.object.members as Dto, hashes };
    const dto = this.check.object(jsonBody(bytes));
    return { dto, hashes: prefixHashesOf(dto[NAME] ?? []) };
  }

  private list(text: string, start: number): PrefixHashes | undefined {
    const { words } = this;
    let count = 0;
    const areHashes = readUnsigned(text, start, (view) => {
      words[count++] = view.getInt32(0);
      words[count++] = view.getInt32(4);
    });
    return areHashes && count <= words.length ? words.slice(0, count) : undefined;
  }
}
