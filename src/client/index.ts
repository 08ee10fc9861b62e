/** `metadata-center/client`. */
export { MetadataCenter } from './metadata-center';
export type {
  AddOptions,
  Counts,
  MetadataCenterOptions,
  SelectOptions,
  WatchOptions,
} from './metadata-center';
export { Booking } from './booking';
export { MetadataCenterError, NoEngineError } from './errors';
export type { EngineRow, PickOptions } from './engine-row';
export type { Surroundings } from './surroundings';
export { View } from './view';
