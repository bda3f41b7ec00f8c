// Shows /openapi.json. All of it is put in as text, never as markup.

const element = (name, attributes = {}, ...children) => {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children.filter((child) => child !== undefined));
  return made;
};

const code = (textContent) => element("code", { textContent });

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
  const choices = (found.oneOf ?? found.anyOf ?? found.allOf)?.filter((choice) => choice.type !== "null");
  if (choices?.length === 1) return shape(api, choices[0], within);
  if (choices) return { "one of": choices.map((choice) => shape(api, choice, within)) };
  if (found.enum) return found.enum.join(" | ");
  if (found.properties) {
    const name = (key) => (found.required?.includes(key) ? key : `${key}?`);
    return Object.fromEntries(Object.entries(found.properties).map(([key, value]) => [name(key), shape(api, value, within)]));
  }
  if (found.items) return [shape(api, found.items, within)];
  const type = [found.type].flat().filter((one) => one && one !== "null").join(" | ");
  return found.format ? `${type} (${found.format})` : type || "any";
};

const bodies = (api, content = {}) =>
  Object.entries(content).map(([type, { schema }]) => {
    const shown = schema && element("pre", { textContent: JSON.stringify(shape(api, schema), null, 2) });
    return element("div", {}, element("p", {}, code(type)), shown);
  });

const parameters = (api, all = []) => {
  if (all.length === 0) return undefined;
  const row = ({ name, in: place, required, description = "", schema }) =>
    element("tr", {},
      element("td", {}, code(name)),
      element("td", { textContent: `${place}${required ? ", required" : ""}` }),
      element("td", { textContent: String(shape(api, schema)) }),
      element("td", { textContent: description }));
  return element("table", {}, element("tbody", {}, ...all.map((one) => row(resolve(api, one)))));
};

const answers = (api, responses) =>
  Object.entries(responses).flatMap(([status, answer]) => [
    element("h4", { textContent: `${status}: ${answer.description}` }),
    ...bodies(api, answer.content)]);

const call = (api, { path, method, operation }) => {
  const body = operation.requestBody && [element("h4", { textContent: "Body" }), ...bodies(api, operation.requestBody.content)];
  // Problems look alike everywhere: they are shown once, below.
  const own = Object.entries(operation.responses).filter(([status]) => !status.endsWith("XX"));
  return element("details", { id: operation.operationId },
    element("summary", {}, element("span", { className: "method", textContent: method }), code(path), operation.summary),
    parameters(api, operation.parameters),
    ...(body ?? []),
    ...answers(api, Object.fromEntries(own)));
};

/** Opens the call that the address names. */
const open = () => {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named instanceof HTMLDetailsElement) named.open = true;
  named?.scrollIntoView();
};

const show = async () => {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`openapi.json is answered with ${answer.status}`);
  const api = await answer.json();
  const calls = Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })));
  const section = ({ name, description }) =>
    element("section", { id: name }, element("h2", { textContent: name }), element("p", { textContent: description }),
      ...calls.filter(({ operation }) => operation.tags.includes(name)).map((one) => call(api, one)));
  const problem = element("section", { id: "problems" },
    element("h2", { textContent: "problems" }),
    element("p", {}, "Whatever is not done is answered so, with a status of 4XX or 5XX, and changes nothing."),
    ...bodies(api, { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } }));
  const link = (name) => element("a", { href: `#${name}`, textContent: name });
  document.getElementById("parts").replaceChildren(...[...api.tags.map(({ name }) => name), "problems"].map(link));
  document.getElementById("calls").replaceChildren(...api.tags.map(section), problem);
  document.getElementById("version").textContent = api.info.version;
  addEventListener("hashchange", open);
  open();
};

show().catch((error) => {
  document.getElementById("calls").replaceChildren(element("p", { textContent: `It cannot be shown: ${error.message}` }));
});
