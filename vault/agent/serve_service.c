/* The two methods that every Varlink service has. */
#include "agent/serve.h"

#include <string.h>

static const char service_text[] =
    "# What every Varlink service answers.\n"
    "interface org.varlink.service\n"
    "\n"
    "# Who made the service, and the interfaces it has.\n"
    "method GetInfo() -> (vendor: string, product: string, version: string, url: string, interfaces: "
    "[]string)\n"
    "\n"
    "# The text of an interface.\n"
    "method GetInterfaceDescription(interface: string) -> (description: string)\n"
    "\n"
    "error InterfaceNotFound (interface: string)\n"
    "error MethodNotFound (method: string)\n"
    "error MethodNotImplemented (method: string)\n"
    "error InvalidParameter (parameter: string)\n"
    "error PermissionDenied ()\n"
    "error ExpectedMore ()\n";

static const struct {
    const char *name;
    const char *text;
} interfaces[] = {
    {CALL_SERVICE,   service_text        },
    {CALL_INTERFACE, agent_interface_text},
};

enum status serve_info(struct session *session, struct request *request)
{
    struct json_writer *writer = &request->reply.writer;

    (void)session;
    json_add_text(writer, "vendor", "stepvault");
    json_add_text(writer, "product", "stepvault-agent");
    json_add_text(writer, "version", STEPVAULT_VERSION);
    json_add_text(writer, "url", "");
    json_open_array(writer, "interfaces");
    for (size_t at = 0; at < sizeof(interfaces) / sizeof(interfaces[0]); at++)
        json_add_text(writer, NULL, interfaces[at].name);
    json_close_array(writer);
    return STATUS_OK;
}

enum status serve_description(struct session *session, struct request *request)
{
    const char *name = json_member_text(request->parameters, "interface");

    (void)session;
    for (size_t at = 0; at < sizeof(interfaces) / sizeof(interfaces[0]); at++) {
        if (strcmp(name, interfaces[at].name) == 0) {
            json_add_text(&request->reply.writer, "description", interfaces[at].text);
            return STATUS_OK;
        }
    }
    request->missing_interface = name;
    return failure_set(&request->failure, STATUS_NOT_FOUND, "this service has no interface of that name");
}
