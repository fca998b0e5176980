// What the page and its worker say to each other.

/** An option as a form shows it; all of it comes from the option tables. */
export interface FormOption {
  readonly name: string;
  readonly flag: string;
  readonly help: string;
  /** `switch`: on or off. `files`: the bytes of files. `text`: anything else, as on the command line. */
  readonly kind: "switch" | "files" | "text";
  /** What may stand there: `BYTES`, `little|big`. */
  readonly metavar: string;
  readonly defaultText: string;
  /** Several may be given, with spaces between them. */
  readonly repeats: boolean;
  /** Of a switch. */
  readonly on: boolean;
}

export interface FormProfile {
  readonly name: string;
  readonly summary: string;
  /** The folder's name of its format: profiles of one format have the same options. */
  readonly format: string;
  readonly options: readonly FormOption[];
}

export interface BuildRequest {
  /** In the order in which they are laid over each other. */
  readonly layers: readonly File[];
  readonly profile: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export type Reply =
  | { readonly kind: "ready"; readonly profiles: readonly FormProfile[]; readonly common: readonly FormOption[] }
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly kind: "error"; readonly sentence: string }
  | {
      readonly kind: "image";
      readonly blob: Blob;
      readonly sha256: string;
      readonly uuid: string | undefined;
      readonly seconds: number;
      readonly warnings: readonly string[];
      /** Sentences of fsynth's own check. */
      readonly problems: readonly string[];
      /** A page of its own, as `fsynth inspect --html` writes it. */
      readonly map: string;
    };
