/** The door that made a sandbox or a container, and that alone finds it. */
export type Owner = 'cri' | 'docker';
