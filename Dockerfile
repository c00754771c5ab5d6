# The bus without its tests and tools. Node 24 is the image's own, so the optional packages that bring one are left out.
FROM node:24.21.0-slim AS modules
WORKDIR /mbus
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund && npm cache clean --force

FROM node:24.21.0-slim
WORKDIR /mbus
COPY --from=modules /mbus/node_modules node_modules
COPY . .
# Data and keys live in volumes that belong to the user of the process; the compile cache of Node is the only thing it writes beside them.
RUN install -d -o node -g node -m 0700 /data /data/keys /data/drop node_modules/.cache && ln -s /mbus/cli/mbus.js /usr/local/bin/mbus
ENV NODE_ENV=production MBUS_HOST=0.0.0.0 MBUS_DATA_DIR=/data
USER node
VOLUME /data
EXPOSE 8080 8443 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.MBUS_HTTP_PORT || 8080) + '/livez').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "cli/mbus.js"]
CMD ["start"]
