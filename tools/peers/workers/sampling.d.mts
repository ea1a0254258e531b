export function draw(probabilities: Float32Array, temperature: number, topK: number, topP: number): number;
