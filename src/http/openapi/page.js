// Shows /openapi.json. All of it is put in as text, never as markup.

const element = (name, attributes = {}, ...children) => {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children.filter((child) => child !== undefined));
  return made;
};

/** Follows a reference within the document. */
const resolve = (api, schema) => {
  if (!schema?.$ref) return schema;
  return schema.$ref.slice(2).split("/").reduce((at, key) => at?.[key], api);
};

/** A schema as the shape of what it describes; what has been shown further out is named only. */
const shape = (api, schema, above = []) => {
  if (schema === undefined || above.includes(schema.$ref)) return schema?.$ref?.split("/").at(-1) ?? "any";
  const within = schema.$ref ? [...above, schema.$ref] : above;
  const found = resolve(api, schema);
  if (found.oneOf || found.anyOf || found.allOf) {
    const choices = (found.oneOf ?? found.anyOf ?? found.allOf).filter((choice) => choice.type !== "null");
    return choices.length === 1 ? shape(api, choices[0], within) : { "one of": choices.map((choice) => shape(api, choice, within)) };
  }
  if (found.enum) return found.enum.join(" | ");
  if (found.properties) {
    const required = found.required ?? [];
    const entries = Object.entries(found.properties);
    return Object.fromEntries(entries.map(([name, value]) => [required.includes(name) ? name : `${name}?`, shape(api, value, within)]));
  }
  if (found.items) return [shape(api, found.items, within)];
  const type = [found.type].flat().filter((name) => name && name !== "null").join(" | ");
  return found.format ? `${type} (${found.format})` : type || "any";
};

const bodies = (api, content = {}) =>
  Object.entries(content).map(([type, { schema }]) =>
    element("div", {}, element("p", {}, element("code", { textContent: type })),
      schema && element("pre", { textContent: JSON.stringify(shape(api, schema), null, 2) })));

const parameters = (api, all = []) => {
  if (all.length === 0) return undefined;
  const row = ({ name, in: place, required, description = "", schema }) =>
    element("tr", {},
      element("td", {}, element("code", { textContent: name })),
      element("td", { textContent: `${place}${required ? ", required" : ""}` }),
      element("td", { textContent: String(shape(api, schema)) }),
      element("td", { textContent: description }));
  return element("table", {}, element("tbody", {}, ...all.map((one) => row(resolve(api, one)))));
};

const call = (api, path, method, operation) => {
  const answers = Object.entries(operation.responses).filter(([status]) => status !== "default");
  return element("details", {},
    element("summary", {}, element("span", { className: "method", textContent: method }),
      element("code", { textContent: path }), operation.summary ?? ""),
    element("p", { textContent: operation.description ?? "" }),
    parameters(api, operation.parameters),
    ...(operation.requestBody ? [element("h4", { textContent: "Body" }), ...bodies(api, resolve(api, operation.requestBody).content)] : []),
    ...answers.flatMap(([status, answer]) => [
      element("h4", { textContent: `${status}: ${answer.description}` }), ...bodies(api, answer.content)]));
};

const show = async () => {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`openapi.json is answered with ${answer.status}`);
  const api = await answer.json();
  const calls = Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })));
  const sections = api.tags.map(({ name, description }) =>
    element("section", {}, element("h2", { textContent: name }), element("p", { textContent: description ?? "" }),
      ...calls.filter(({ operation }) => operation.tags?.includes(name))
        .map(({ path, method, operation }) => call(api, path, method, operation))));
  document.getElementById("calls").replaceChildren(...sections);
};

show().catch((error) => {
  document.getElementById("calls").replaceChildren(element("p", { textContent: `It cannot be shown: ${error.message}` }));
});
