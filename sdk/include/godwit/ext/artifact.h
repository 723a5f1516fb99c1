/* godwit.artifact/1: files that a call makes or reads, stored once by the hash of their content. For what is too large, or no JSON.
 *
 * In inputs and results an artifact stands as the object that commit() gives: {"artifact": "sha256:<64 hex digits>", "size": bytes, "name": "...",
 * "media_type": "..."}. Asked for with host->extension(GW_EXT_ARTIFACT); given when the manifest names it in "needs" or "wants". Frozen like the core
 * table. */
#ifndef GODWIT_EXT_ARTIFACT_H
#define GODWIT_EXT_ARTIFACT_H

#include <godwit/plugin.h>

#define GW_EXT_ARTIFACT "godwit.artifact/1"

/* Static storage of the host; lives as long as the process. No pointer is NULL. */
typedef struct gw_host_artifact {
  uint32_t struct_size; /* bytes */
  uint32_t reserved;    /* 0 */

  /* [run] A new empty file to write into, without a name in any directory. *fd is open for reading and writing, seekable, close-on-exec. The plugin
   * owns it until it gives it to commit(); it closes it to give the file up. `name` is for people ("report.pdf", at most 255 bytes, without '/'),
   * `media_type` may be empty (application/octet-stream). GW_INVALID for a bad name, GW_CANCELLED, GW_FAILED when there is no room; *fd is -1 then. */
  gw_status (*create)(gw_call *call, gw_view name, gw_view media_type, int32_t *fd);

  /* [run] Stores what was written into the file of create(), durable when GW_OK is returned. Takes the descriptor: it is closed in any case. *ref_json is
   * the object above, a buffer of the host that dies with the call, NULL unless GW_OK. A copy of the descriptor that the plugin kept changes nothing any
   * more. The artifact is listed with the call's step. GW_INVALID when fd is not one of create(), GW_TOO_BIG over the operator's limit, GW_CANCELLED,
   * GW_FAILED when it could not be stored. */
  gw_status (*commit)(gw_call *call, int32_t fd, gw_buf **ref_json);

  /* [run] Opens an artifact for reading. `name` is its "sha256:..." text. *fd is seekable and close-on-exec, at offset 0; the plugin owns and closes it.
   * The content is what its name says, for ever. GW_NOT_FOUND, GW_INVALID for what is no such name, GW_CANCELLED; *fd is -1 then. */
  gw_status (*open)(gw_call *call, gw_view name, int32_t *fd);
} gw_host_artifact;

#if UINTPTR_MAX == 0xffffffffffffffffu
GW_STATIC_ASSERT(sizeof(gw_host_artifact) == 32, "gw_host_artifact is frozen");
GW_STATIC_ASSERT(offsetof(gw_host_artifact, open) == 24, "gw_host_artifact is frozen");
#endif

#endif /* GODWIT_EXT_ARTIFACT_H */
