import type {
  DecodeStepRequest,
  DeviceBackend,
  ExportKvRequest,
  ImportKvRequest,
  LoadedModel,
  LoadProgress,
  LoadRequest,
  OpenSequenceRequest,
  PrefillChunkRequest,
  RewindRequest,
  SequenceId,
  StepResult,
} from '../backends/backend';

/** A backend that says with every load why it runs and not a faster one. */
export class NoticedBackend implements DeviceBackend {
  constructor(
    private readonly backend: DeviceBackend,
    private readonly notice: string,
  ) {}

  async load(request: LoadRequest, onProgress: (progress: LoadProgress) => void): Promise<LoadedModel> {
    const model = await this.backend.load(request, onProgress);
    return { ...model, notices: [this.notice, ...model.notices] };
  }

  openSequence(request: OpenSequenceRequest): Promise<SequenceId> {
    return this.backend.openSequence(request);
  }

  prefillChunk(request: PrefillChunkRequest, onShare?: (share: number) => void): Promise<StepResult> {
    return this.backend.prefillChunk(request, onShare);
  }

  decodeStep(request: DecodeStepRequest): Promise<StepResult> {
    return this.backend.decodeStep(request);
  }

  rewindSequence(request: RewindRequest): Promise<void> {
    return this.backend.rewindSequence(request);
  }

  forkSequence(request: RewindRequest): Promise<SequenceId> {
    return this.backend.forkSequence(request);
  }

  exportKv(request: ExportKvRequest): Promise<Uint8Array> {
    return this.backend.exportKv(request);
  }

  importKv(request: ImportKvRequest): Promise<void> {
    return this.backend.importKv(request);
  }

  closeSequence(sequence: SequenceId): Promise<void> {
    return this.backend.closeSequence(sequence);
  }

  dispose(): Promise<void> {
    return this.backend.dispose();
  }
}
