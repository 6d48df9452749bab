export * from './ask';
export * from './errors';
export * from './initialize';
export * from './metrics';
export * from './models';
export * from './spec';
export * from './status';
export * from './workspace';
