import { join } from 'node:path';
import { API, SignatureKind, type Checker, SymbolFlags, type Project, type Signature, type Symbol, type Type } from 'typescript/unstable/sync';

const root = join(import.meta.dirname, '../..');

/** The TypeScript compiler's view of this repository: the types of what its files export. */
export class Sources {
  readonly #api = new API({ cwd: root });
  readonly #project: Project;

  constructor() {
    const project = this.#api.updateSnapshot({ openProjects: [join(root, 'tsconfig.json')] }).getProjects()[0];
    if (project === undefined) throw new Error('TypeScript opened no project');
    this.#project = project;
  }

  get checker(): Checker {
    return this.#project.checker;
  }

  close(): void {
    this.#api.close();
  }

  /** What a file exports: the types of its values, and its types. */
  exports(file: string): ReadonlyMap<string, Type> {
    const source = this.#project.program.getSourceFile(join(root, file));
    const module = source && this.checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`${file} is no module`);
    return new Map(this.checker.getExportsOfModule(module).map((symbol) => [symbol.name, this.#typeOf(symbol)]));
  }

  /** The type of an exported value, or an exported type. */
  exported(file: string, name: string): Type {
    const type = this.exports(file).get(name);
    if (type === undefined) throw new Error(`${file} exports no ${name}`);
    return type;
  }

  property(type: Type, name: string): Type {
    const symbol = this.checker.getPropertyOfType(type, name);
    const found = symbol && this.checker.getTypeOfSymbol(symbol);
    if (found === undefined) throw new Error(`${this.checker.typeToString(type)} has no ${name}`);
    return found;
  }

  /** The type of a function's parameter; undefined where it takes fewer. */
  parameter(type: Type, index: number): Type | undefined {
    const signature = this.#signature(type);
    return index < signature.parameters.length ? this.checker.getParameterType(signature, index) : undefined;
  }

  /** What a function returns. */
  returned(type: Type): Type {
    const found = this.checker.getReturnTypeOfSignature(this.#signature(type));
    if (found === undefined) throw new Error(`${this.checker.typeToString(type)} returns nothing`);
    return found;
  }

  #typeOf(symbol: Symbol): Type {
    const isValue = (symbol.flags & SymbolFlags.Value) !== 0;
    return (isValue ? this.checker.getTypeOfSymbol(symbol) : undefined) ?? this.checker.getDeclaredTypeOfSymbol(symbol);
  }

  #signature(type: Type): Signature {
    const signature = this.checker.getSignaturesOfType(type, SignatureKind.Call)[0];
    if (signature === undefined) throw new Error(`${this.checker.typeToString(type)} is no function`);
    return signature;
  }
}
