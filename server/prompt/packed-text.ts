/** Text of a file as the model sees it: the whole file, or the lines of a selection. */
export interface PackedText {
  path: string;
  text: string;
  /** Line of the file, from 1, at which `text` starts. */
  firstLine: number;
}
