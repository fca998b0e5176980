// The contract of a format: one plain value a folder under formats/.

import type { Snapshot } from "../tree/snapshot.ts";
import type { OptionInputs, OptionTable, OptionValues } from "./options.ts";
import type { Plan } from "./plan.ts";
import type { ImageRecord } from "./records.ts";
import type { ImageBytes, Problem, VolumeReader } from "./volume.ts";

/** What a profile can hold, for `fsynth formats`: one line per subject. */
export type Capabilities = Readonly<Record<string, string | number | boolean>>;

/** A named set of defaults of a format, chosen with `-f`. */
export interface Profile {
  /** As `-f` takes it: `ext4`. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** For `fsynth formats`. */
  readonly capabilities: Capabilities;
}

/** A format that can be written: options in, a plan out. Pure and synchronous. */
export interface Format<T extends OptionTable = OptionTable> {
  /** The folder's name: `ext`, `ffs`, `cpio`, `tar`. */
  readonly name: string;
  /** At least one; callers name the one they want. */
  readonly profiles: readonly Profile[];
  /** Options beside those of every format. */
  readonly options: T;
  /**
   * Plans an image of `profile`.
   *
   * Throws `unsupported` with every violation when the tree holds what the profile cannot, and `usage` when options
   * contradict each other or the size is too small.
   */
  plan(profile: string, snapshot: Snapshot, options: OptionValues<T>, context: PlanContext): Plan;
  /** Whether the bytes are an image of this format, told by its magic numbers alone. */
  recognises?(image: ImageBytes): boolean;
  /** Opens an image. Throws `corrupt` for one that cannot be read and `unsupported` for one that needs what fsynth lacks, by name. */
  open?(image: ImageBytes): VolumeReader;
  /** Everything that is wrong with an image, found without the writer's code; changes nothing. */
  check?(image: ImageBytes): readonly Problem[];
  /** Every record of an image, its fields by name. Throws as `open` does. */
  records?(image: ImageBytes): Iterable<ImageRecord>;
}

/** What planning may use besides the tree and the options. */
export interface PlanContext {
  /** Whether what cannot be held is dropped and counted, instead of refused. */
  readonly allowLoss: boolean;
  /** Derives `length` (at most 32) bytes for `purpose` from the seed of tree and options; computed when first asked for. */
  derive(purpose: string, length: number): Uint8Array;
}

export type { OptionInputs, OptionTable, OptionValues };
