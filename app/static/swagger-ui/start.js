// validatorUrl: null, because Swagger UI otherwise sends the document's address to a service of its makers.
window.addEventListener("load", () => {
  SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger-ui", validatorUrl: null, persistAuthorization: false });
});
